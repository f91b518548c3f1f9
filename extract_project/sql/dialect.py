"""What the guard asks of a dialect, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from extract_project.problem import Problem
from extract_project.sql.query import Placeholder, Query, Rendered
from extract_project.sql.tokens import Lexicon, Token

Name = tuple[str, ...]
"""The parts of a name as the engine reads them: `("pg_catalog", "lower")`."""


@dataclass(frozen=True)
class Text:
    """The text of one statement, its tokens, and its placeholders."""

    source: str
    tokens: Sequence[Token]
    placeholders: Sequence[Placeholder]

    @property
    def query(self) -> Query:
        """The text as a query without values."""
        return Query(self.source, tuple(self.placeholders))

    def render(self, native: Callable[[str], str]) -> Rendered:
        """The text for the engine, with each `:name` in the engine's own form."""
        return self.query.render(native)

    def beside(self, name: str, operator: str) -> Placeholder:
        """The `:name` beside an operator; if there is none, the last one of that name."""
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
    """A function that the statement calls, and the position of its name."""

    name: Name
    offset: int | None = None


@dataclass(frozen=True)
class Comparison:
    """A comparison in which something must be strictly greater than an expression with a
    `:name`."""

    placeholder: Placeholder
    operator: str
    """The operator as the author wrote it: `>` or `<`."""


@dataclass(frozen=True)
class Reading:
    """The facts about a statement that the guard and lineage need."""

    calls: Sequence[Call] = ()
    tables: frozenset[Name] = frozenset()
    strictly_after: Sequence[Comparison] = ()
    warnings: Sequence[Problem] = field(default=())


class Dialect(Protocol):
    """A SQL dialect: its tokens, its parser, and the functions of its engine."""

    name: str
    lexicon: Lexicon
    type_choices: frozenset[str]
    """The fields of `TypeChoices` that its columns can make a difference to."""
    bills_bytes: bool
    """Whether its engine bills what a query reads: there, `max_bytes` in a header is a limit."""
    unloads: bool
    """Whether its engine can write the files of a result itself: `engine` in a header."""

    def read(self, text: Text) -> Reading:
        """Parse the text; raises Refused unless it is one read-only statement."""

    def objection(self, function: Name) -> str | None:
        """The reason why an extract must not call the function; None if it may."""
