"""The guard: one read-only statement per file; anything else never reaches a warehouse (G7).

This is the first line of defence, and the one that can name the line to change. The warehouse has
its own: DuckDB's read-only database, a read-only transaction in Postgres, a role without write
grants in Snowflake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from extract_project.problem import Problem, Refused, position, refuse
from extract_project.sql.dialect import Call, Comparison, Dialect, Text
from extract_project.sql.placeholders import find_placeholders, warnings_of_strings
from extract_project.sql.query import Placeholder
from extract_project.sql.tokens import Token, tokenize


@dataclass(frozen=True)
class Statement:
    """The one statement of a text."""

    tokens: tuple[Token, ...]
    """The tokens, without comments and white space."""
    placeholders: tuple[Placeholder, ...]
    tables: tuple[str, ...]
    """The tables that it reads: dotted names, sorted."""
    strictly_after: tuple[Comparison, ...]
    warnings: tuple[Problem, ...]

    @property
    def end(self) -> int:
        """The offset at which it ends, before a semicolon."""
        return self.tokens[-1].end


def read_statement(
    text: str,
    dialect: Dialect,
    params: Collection[str] = (),
    explain: Callable[[str], str] = "there is no value named {}".format,
    forbidden: Collection[str] = (),
) -> Statement:
    """Read the one read-only statement of a text, in which `params` can be used as `:name`.

    `dialect` is the warehouse's. `explain` says how an unknown name can get a value. `forbidden`
    are functions that must not be called, in addition to those that write. Raises Refused with the
    line and column of each problem.
    """
    tokens = _one_statement(text, tokenize(text, dialect.lexicon))
    _require_visible(text, tokens)
    placeholders = find_placeholders(text, tokens, params, explain)
    reading = dialect.read(Text(text, tokens, placeholders))
    problems = [_problem(text, tokens, call, dialect, forbidden) for call in reading.calls]
    refused = [problem for problem in problems if problem]
    if refused:
        raise Refused(*dict.fromkeys(refused))
    return Statement(
        tuple(tokens),
        placeholders,
        tuple(sorted(".".join(name) for name in reading.tables)),
        tuple(reading.strictly_after),
        (*reading.warnings, *warnings_of_strings(text, tokens, params)),
    )


def _one_statement(text: str, tokens: Sequence[Token]) -> list[Token]:
    ends = [i for i, token in enumerate(tokens) if token.text == ";"]
    statement = list(tokens[: ends[0]] if ends else tokens)
    if not statement:
        line = 1 if not ends else position(text, tokens[0].start)[0]
        raise refuse(line, 1, "no statement in this file: expected one 'select …'")
    for token in tokens[len(statement) :]:
        if token.text != ";":
            raise refuse(
                *position(text, token.start),
                f"a second statement starts here, with {token.text.lower()!r}: expected one "
                f"read-only statement; put this one into its own file",
            )
    return statement


# Spaces, marks without a width, and the wide or curly forms of SQL's own signs.
_INVISIBLE = re.compile(
    "[\x85\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\u2018-\u201f\u2010-\u2015\u2212\uff08\uff09\uff0c\uff1a\uff1b\uff1d\uff07\uff02\uff0e\u037e]"
)


def _require_visible(text: str, tokens: Sequence[Token]) -> None:
    """Raise Refused for invisible characters, as from a paste: engines read them as part of a
    name.
    """
    if text.isascii():
        return
    for token in tokens:
        odd = _INVISIBLE.search(token.text) if token.kind in ("word", "sign") else None
        if odd:
            code = f"U+{ord(odd.group()):04X}"
            called = unicodedata.name(odd.group(), "a control character").lower()
            raise refuse(
                *position(text, token.start + odd.start()),
                f"{code} ({called}) is not allowed outside of a string: replace it; if it "
                f"belongs to a name, put the name into double quotes",
            )


def _problem(
    text: str, tokens: Sequence[Token], call: Call, dialect: Dialect, forbidden: Collection[str]
) -> Problem | None:
    shown = ".".join(call.name).lower()
    if shown in forbidden or call.name[-1].lower() in forbidden:
        objection = "is one of the warehouse's FORBIDDEN_FUNCTIONS: remove it"
    else:
        objection = dialect.objection(call.name) or ""
    if not objection:
        return None
    offset = tokens[0].start if call.offset is None else call.offset
    line, column = position(text, offset)
    return Problem(line=line, column=column, message=f"{shown!r} {objection}")
