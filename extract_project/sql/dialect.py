"""What the guard asks of a dialect, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from extract_project.problem import Problem
from extract_project.sql.query import Placeholder, Query, Rendered
from extract_project.sql.tokens import Lexicon, Token

Name = tuple[str, ...]
"""A name's parts as the engine reads them: `("pg_catalog", "lower")`."""


@dataclass(frozen=True)
class Text:
    """The text of one statement, cut into tokens, with the `:name`s found."""

    source: str
    tokens: Sequence[Token]
    placeholders: Sequence[Placeholder]

    @property
    def query(self) -> Query:
        """The text as a query without values."""
        return Query(self.source, tuple(self.placeholders))

    def render(self, native: Callable[[str], str]) -> Rendered:
        """As the engine is to see it, with its own form of each `:name`."""
        return self.query.render(native)

    def beside(self, name: str, operator: str) -> Placeholder:
        """The `:name` that stands beside an operator; where none does, the last one."""
        named = {each.start: each for each in self.placeholders if each.name == name}
        ends = {each.end: each for each in named.values()}
        for token, after in zip(self.tokens, self.tokens[1:], strict=False):
            if token.text == operator == ">" and after.start in named:
                return named[after.start]
            if after.text == operator == "<" and token.end in ends:
                return ends[token.end]
        return list(named.values())[-1]


@dataclass(frozen=True)
class Call:
    """A function that the statement calls, and where its name stands in the text."""

    name: Name
    offset: int | None = None


@dataclass(frozen=True)
class Comparison:
    """A place where something has to be strictly greater than what contains a `:name`."""

    placeholder: Placeholder
    operator: str
    """As the author wrote it: `>` or `<`."""


@dataclass(frozen=True)
class Reading:
    """What a statement does, as far as the guard and lineage want to know."""

    calls: Sequence[Call] = ()
    tables: frozenset[Name] = frozenset()
    strictly_after: Sequence[Comparison] = ()
    warnings: Sequence[Problem] = field(default=())


class Dialect(Protocol):
    """A kind of SQL: how it is cut into tokens, read, and what its engine's functions do."""

    name: str
    lexicon: Lexicon

    def read(self, text: Text) -> Reading:
        """Read the text; raises Refused where it is not one statement that only reads."""

    def objection(self, function: Name) -> str | None:
        """Why an extract must not call the function; None where it may."""
