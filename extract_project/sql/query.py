"""A statement with its values, as it is passed to a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from extract_project.problem import position
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.values import Value

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Placeholder:
    """One `:name` in a SQL text: `text[start:end]` is the colon and the name."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Rendered:
    """An author's text in a warehouse's own form, with the mapping back to the author's file."""

    text: str
    source: str
    """The author's text."""
    replaced: tuple[tuple[int, Placeholder], ...]
    """The end of each placeholder's replacement, as an offset in `text`."""

    def source_offset(self, offset: int) -> int:
        """The offset in the author's text that an offset in `text` comes from.

        Every character that replaces a `:name` maps to its colon.
        """
        end = source_end = 0
        for next_end, placeholder in self.replaced:
            if offset < next_end:
                return min(source_end + max(0, offset - end), placeholder.start)
            end, source_end = next_end, placeholder.end
        return source_end + max(0, offset - end)

    def origin(self, offset: int) -> tuple[int, int]:
        """Line and column (from 1), in the author's file, of an offset in `text`."""
        return position(self.source, self.source_offset(offset))

    def origin_of(self, line: int, column: int) -> tuple[int, int]:
        """The same of a line and a column (from 1) in `text`."""
        return self.origin(self.offset_of(line, column))

    def offset_of(self, line: int, column: int) -> int:
        """The offset in `text` of a line and a column (from 1)."""
        return sum(len(each) + 1 for each in self.text.split("\n")[: line - 1]) + column - 1


@dataclass(frozen=True)
class Query:
    """The author's text, unchanged, and the values of its `:name`s."""

    text: str
    placeholders: tuple[Placeholder, ...] = ()
    end: int | None = None
    """The end of the statement, before a semicolon; default: the end of the text."""
    values: Mapping[str, Value] = field(default_factory=dict)
    declared: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Types that the author declares, by column."""
    types: TypeChoices = DEFAULTS
    """What the file makes of wide types that are not declared."""
    max_bytes: int | None = None
    """The most bytes that the query may be billed for, where a warehouse bills bytes."""

    def render(self, native: Callable[[str], str]) -> Rendered:
        """The text with each `:name` in the warehouse's own form; no line moves."""
        text, end, replaced = "", 0, []
        for placeholder in self.placeholders:
            text += self.text[end : placeholder.start]
            if text[-1:].isalnum() or text[-1:] in ("_", "$"):
                text += " "  # in `limit:n` only the colon ends the word
            text += native(placeholder.name)
            replaced.append((len(text), placeholder))
            end = placeholder.end
        return Rendered(text + self.text[end:], self.text, tuple(replaced))

    def statement(self, native: Callable[[str], str]) -> Rendered:
        """Like `render`, up to the end of the statement, for warehouses that wrap it in another."""
        beyond = 0 if self.end is None else len(self.text) - self.end
        rendered = self.render(native)
        return replace(rendered, text=rendered.text[: len(rendered.text) - beyond])

    @property
    def ordinals(self) -> dict[str, int]:
        """The names in the text, numbered from 1 in the order of their first use."""
        names = dict.fromkeys(each.name for each in self.placeholders)
        return {name: i for i, name in enumerate(names, start=1)}

    @property
    def distinct_names(self) -> dict[str, str]:
        """Each name, and one that differs from the others by more than case: `A_2` beside `a`."""
        found: dict[str, str] = {}
        taken: set[str] = set()
        for name in self.ordinals:
            distinct, number = name, 2
            while distinct.casefold() in taken:
                distinct, number = f"{name}_{number}", number + 1
            taken.add(distinct.casefold())
            found[name] = distinct
        return found

    @property
    def bound(self) -> dict[str, Value]:
        """The values that the text uses."""
        return {each.name: self.values[each.name] for each in self.placeholders}
