"""Judge a statement by its tokens alone, if it cannot be parsed.

In doubt, the statement is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extract_project.problem import Refused, position, refuse
from extract_project.sql.dialect import Call, Comparison, Name, Text
from extract_project.sql.tokens import Token, name_of
from extract_project.sql.words import words

ACTING = {
    "insert": ("into", "overwrite", "all", "first", "or"),
    "delete": ("from",),
    "merge": ("into",),
    "update": (),
    "replace": ("into",),
    "truncate": (),
    "create": (),
    "alter": (),
    "drop": (),
    "undrop": (),
    "copy": (),
    "call": (),
    "execute": (),
    "grant": (),
    "revoke": (),
    "put": (),
    "remove": (),
}
"""First words of statements that write, with the words that can follow; empty: any name."""

_QUERIES = ("select", "with", "values", "(")


def would_run(text: str, token: Token, word: str = "") -> Refused:
    """The refusal of a statement that does more than read."""
    return refuse(
        *position(text, token.start),
        f"this file would run {word or token.text.lower()!r}: expected one read-only statement, "
        f"'select …' or 'with … select'; do anything else where the table is maintained",
    )


def not_sql(text: Text, dialect: str, reason: str, offset: int) -> Refused:
    """The refusal of a text that a parser does not understand, at the token where it failed."""
    token = token_at(text.tokens, offset)
    line, column = position(text.source, token.start)
    hint = ""
    name = re.match(r":(\w+)", text.source[token.start :])
    if token.text == ":" and name:
        hint = (
            f"; it follows a value, so that it is not taken for a parameter: if it is one, write "
            f"({name.group()})"
        )
    return refuse(line, column, f"not {dialect} SQL, near {token.text!r}: {reason}{hint}")


def token_at(tokens: Sequence[Token], offset: int) -> Token:
    """The token at an offset, or the next one; after the end, the last one."""
    return next((token for token in tokens if token.end > offset), tokens[-1])


def acting_word(tokens: Sequence[Token]) -> Token | None:
    """The first word that would start a write: at the beginning of the statement or of a part in
    parentheses, or after the common table expressions.
    """
    for i, token in enumerate(tokens):
        following = ACTING.get(token.lower)
        if following is None or (i and tokens[i - 1].text == "."):
            continue
        before = tokens[i - 1] if i else None
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        if before is None:
            return token
        if before.text not in ("(", ")", "->>") and before.kind != "string":
            continue
        if after and (after.lower in following if following else after.kind in ("word", "name")):
            return token
    return None


def require_query(text: Text, also: tuple[str, ...] = ()) -> None:
    """Raise Refused unless the tokens form a query: it begins like one, or with a word of `also`,
    and nothing in it writes or locks.
    """
    tokens = text.tokens
    if (tokens[0].lower or tokens[0].text) not in (*_QUERIES, *also):
        raise would_run(text.source, tokens[0])
    token = acting_word(tokens)
    if token:
        raise would_run(text.source, token)
    _require_balance(text)
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else token
        after = tokens[i + 1] if i + 1 < len(tokens) else token
        if before.text in (".", ":"):
            continue
        if token.lower == "into" and after.text not in (",", ")", "."):
            raise would_run(text.source, token)
        if token.lower == "for" and after.lower in ("update", "share", "no", "key"):
            raise would_run(text.source, token, f"for {after.lower}")
        if token.lower == "procedure" and before.lower == "as":
            raise would_run(text.source, token)


def _require_balance(text: Text) -> None:
    """Raise Refused if a parenthesis has no partner, since its content could be anything."""
    depth = 0
    for token in text.tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            raise refuse(*position(text.source, token.start), "a ')' closes nothing: not SQL")
    if depth:
        last = text.tokens[-1]
        raise refuse(
            *position(text.source, last.start),
            f"the SQL ends with {last.text!r}, before a '(' is closed",
        )


def calls(tokens: Sequence[Token]) -> Iterator[Call]:
    """Every name that a parenthesis follows."""
    for i, token in enumerate(tokens):
        if token.text != "(" or not i:
            continue
        if tokens[i - 1].kind in _NAMED:
            name, start = _name_to(tokens, i - 1)
            yield Call(name, tokens[start].start)


def _name_to(tokens: Sequence[Token], end: int) -> tuple[Name, int]:
    """The dotted name that ends with a token, and where it begins."""
    parts = [name_of(tokens[end])]
    start = end
    while start > 1 and tokens[start - 1].text == "." and tokens[start - 2].kind in _NAMED:
        start -= 2
        parts.insert(0, name_of(tokens[start]))
    return tuple(parts), start


_NAMED = ("word", "name")
_NO_TABLE = words(
    """
    select where group order having qualify limit offset union intersect except on using set
    lateral unnest values only left right full inner cross natural join window fetch
    """
)
_FROM_IN_CALLS = frozenset(("extract", "trim", "substring", "overlay", "position"))


def tables(tokens: Sequence[Token]) -> frozenset[Name]:
    """The table names after `from`, `join` and their commas, without common table expressions."""
    hidden = _defined(tokens)
    found = set(tables_in_strings(tokens))
    for i in _table_places(tokens):
        end = i
        while _is_part(tokens, end + 1):
            end += 2
        called = end + 1 < len(tokens) and tokens[end + 1].text == "("
        name = tuple(name_of(token) for token in tokens[i : end + 1 : 2])
        if called or (len(name) == 1 and hidden.get(name[0], len(tokens)) < i):
            continue
        found.add(name)
    return frozenset(found)


def _is_part(tokens: Sequence[Token], i: int) -> bool:
    """Whether a dotted name continues here."""
    return i + 1 < len(tokens) and tokens[i].text == "." and tokens[i + 1].kind in _NAMED


def tables_in_strings(tokens: Sequence[Token]) -> Iterator[Name]:
    """`from identifier('db.s.t')` and `from table('t')`."""
    if not any(token.lower in ("identifier", "table") for token in tokens):
        return
    for i in _table_places(tokens):
        called = [token.text for token in tokens[i + 1 : i + 4 : 2]] == ["(", ")"]
        if called and tokens[i].lower in ("identifier", "table") and tokens[i + 2].kind == "string":
            parts = re.findall(r'"[^"]*"|[^.]+', tokens[i + 2].text[1:-1])
            yield tuple(part[1:-1] if part[0] == '"' else part.lower() for part in parts)


def strings_for_tables(tokens: Sequence[Token]) -> Iterator[Token]:
    """`from 'x.csv'`: strings in place of a table's name."""
    for i in _table_places(tokens, ("string",)):
        yield tokens[i]


def _table_places(
    tokens: Sequence[Token], kinds: tuple[str, ...] = ("word", "name")
) -> Iterator[int]:
    """The positions at which table names begin."""
    lists = [False]  # for each open parenthesis: whether a comma leads to another table
    inside = [""]
    for i, token in enumerate(tokens[:-1]):
        if token.text in ("(", "["):
            lists.append(False)
            inside.append(tokens[i - 1].lower if i else "")
            continue
        if token.text in (")", "]") and len(lists) > 1:
            lists.pop()
            inside.pop()
            continue
        word = token.lower
        if word == "from":
            lists[-1] = inside[-1] not in _FROM_IN_CALLS and tokens[i - 1].lower != "distinct"
        elif word in _NO_TABLE and word not in ("join", "left", "right", "full", "inner", "cross"):
            lists[-1] = False
        leads = (
            (word == "from" and lists[-1]) or word == "join" or (token.text == "," and lists[-1])
        )
        after = tokens[i + 1]
        if leads and after.kind in kinds and after.lower not in _NO_TABLE:
            yield i + 1


def _defined(tokens: Sequence[Token]) -> dict[str, int]:
    """The names of common table expressions, and the ends of their definitions."""
    found: dict[str, int] = {}
    for i in range(1, len(tokens) - 1):
        if tokens[i].lower != "as" or tokens[i + 1].text != "(" or tokens[i - 1].kind not in _NAMED:
            continue
        found.setdefault(name_of(tokens[i - 1]), closing(tokens, i + 1))
    return found


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The position that closes an open parenthesis; if it is not closed, the end of the text."""
    depth = 0
    for i in range(opening, len(tokens)):
        depth += (tokens[i].text == "(") - (tokens[i].text == ")")
        if not depth:
            return i
    return len(tokens)


def strictly_after(text: Text) -> Iterator[Comparison]:
    """The comparisons `> :name` and `:name <`, found in adjacent tokens."""
    starts = {each.start: each for each in text.placeholders}
    ends = {each.end: each for each in text.placeholders}
    for before, token, after in zip(text.tokens, text.tokens[1:], text.tokens[2:], strict=False):
        if token.text == ">" and after.start in starts:
            yield Comparison(starts[after.start], ">")
        if token.text == "<" and before.end in ends:
            yield Comparison(ends[before.end], "<")
