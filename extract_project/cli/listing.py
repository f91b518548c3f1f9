"""Tables that never break an identifier: what does not fit is left out, or stands on lines below.

Rich lays out a table by measuring each cell several times, which takes seconds for thousands of
rows; and it breaks words where a terminal is narrow.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click
from rich.cells import cell_len

from extract_project.cli.console import out
from extract_project.visible import one_line

_GAP = "  "
_BELOW = " " * 4
_LEAST = 24
"""Columns of the terminal that the text at the end of a row needs at least."""

wide_option = click.option(
    "--wide", is_flag=True, help="Every column, whole, however wide the terminal is."
)


@dataclass(frozen=True)
class Column:
    """A column. Its cells are never broken, but for those of the last column, which are text."""

    name: str
    drop: int = 0
    """On a narrow terminal, columns with a higher number are left out first; 0 never."""
    right: bool = False
    """Whether its cells are numbers."""


@dataclass
class Listing:
    """A table; the last column has text, and is folded at its words."""

    columns: Sequence[Column]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    colours: list[str | None] = field(default_factory=list)
    """The colour of the first cell of each row."""

    def add(self, *cells: str, colour: str | None = None) -> None:
        self.rows.append(tuple(map(one_line, cells)))
        self.colours.append(colour)

    def lines(self, width: int | None, *, coloured: bool = False) -> list[str]:
        """The table for a terminal of so many columns; None for a pipe: one line for each row."""
        widths = {
            number: max(_width(cell) for cell in column)
            for number, column in enumerate(zip(self._heads, *self.rows, strict=True))
        }
        shown = self._fitting(widths, width)
        if width is not None and _needed(shown, widths, len(self.columns) - 1) > width:
            widths = dict.fromkeys(shown, 0)  # too narrow for columns: each row as it fits
        body = [self._line(row, shown, widths, width) for row in self.rows]
        if coloured:
            firsts = (len(row[shown[0]]) for row in self.rows)
            body = [
                click.style(text[:first], fg=colour) + text[first:]
                for text, colour, first in zip(body, self.colours, firsts, strict=True)
            ]
        return [self._line(self._heads, shown, widths, width), *body]

    @property
    def _heads(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def _fitting(self, widths: Mapping[int, int], width: int | None) -> list[int]:
        """The columns that have anything to say, as far as they fit."""
        last = len(self.columns) - 1
        shown = [
            number
            for number, column in enumerate(self.columns)
            if not column.drop or any(row[number] for row in self.rows)
        ]
        while width is not None and _needed(shown, widths, last) > width:
            droppable = [number for number in shown if self.columns[number].drop]
            if not droppable:
                break
            shown.remove(max(droppable, key=lambda number: self.columns[number].drop))
        return shown

    def _line(
        self,
        row: Sequence[str],
        shown: Sequence[int],
        widths: dict[int, int],
        width: int | None,
    ) -> str:
        *whole, text = shown
        cells = [_padded(row[n], widths[n], right=self.columns[n].right) for n in whole]
        start = _GAP.join([*cells, ""])
        if width is not None and _width(start.rstrip()) > width:
            start = _packed([row[n] for n in whole if row[n]], width) + _GAP
        return _placed(start, row[text], width)


def print_listing(listing: Listing, *, wide: bool = False, heads: bool = True) -> None:
    """Print a table for this terminal, or in full where `wide` is set or nobody looks."""
    coloured = out.is_terminal and not out.no_color
    lines = listing.lines(_terminal_width(wide=wide), coloured=coloured)
    click.echo("\n".join(lines[0 if heads else 1 :]), file=out.file, color=coloured)


def _needed(shown: Sequence[int], widths: Mapping[int, int], last: int) -> int:
    """The width of these columns, of which the last one is folded."""
    lengths = (
        min(widths[number], _LEAST) if number == last else widths[number] for number in shown
    )
    return sum(lengths) + len(_GAP) * (len(shown) - 1)


def _width(text: str) -> int:
    """As many columns as a terminal needs."""
    return len(text) if text.isascii() else cell_len(text)


def _padded(text: str, width: int, *, right: bool) -> str:
    if not text.isascii():
        width -= cell_len(text) - len(text)
    return text.rjust(width) if right else text.ljust(width)


def facts_lines(facts: Sequence[tuple[str, str]], width: int | None) -> list[str]:
    """Names and their values, a line each; longer values are folded as in a table."""
    longest = max(_width(name) for name, _ in facts)
    return [
        _placed(_padded(one_line(name), longest, right=False) + _GAP, one_line(value), width)
        for name, value in facts
    ]


def print_facts(facts: Sequence[tuple[str, str]], *, wide: bool = False) -> None:
    """Print names and their values for this terminal, or in full as `print_listing` does."""
    click.echo("\n".join(facts_lines(facts, _terminal_width(wide=wide))), file=out.file)


def print_words(text: str, start: str = "") -> None:
    """Print a text, folded at its words below the start of its line."""
    click.echo(_placed(start, one_line(text), _terminal_width(wide=False)), file=out.file)


def _packed(cells: Sequence[str], width: int) -> str:
    """Cells one after the other, each whole: those that do not fit stand on lines below."""
    packed = ""
    for cell in cells:
        line = packed.rpartition("\n")[2]
        if not packed:
            packed = cell
        elif _width(line + _GAP + cell) <= width:
            packed += _GAP + cell
        else:
            packed += f"\n{_BELOW}{cell}"
    return packed


def _placed(start: str, text: str, width: int | None) -> str:
    """A text behind the start of its line; on lines below where it would be broken there."""
    if width is None:
        return (start + text).rstrip()
    room = width - _width(start.rpartition("\n")[2])
    if _width(text) <= room:
        return (start + text).rstrip()
    longest = max(map(_width, text.split()), default=0)
    if room < max(longest, min(_LEAST, _width(text))):
        start, room = f"{start.rstrip()}\n{_BELOW}", width - len(_BELOW)
    folded = textwrap.wrap(text, max(room, 1), break_on_hyphens=False, break_long_words=False)
    below = "\n" + " " * _width(start.rpartition("\n")[2])
    return (start + below.join(folded)).rstrip()


def _terminal_width(*, wide: bool) -> int | None:
    return out.width if out.is_terminal and not wide else None
