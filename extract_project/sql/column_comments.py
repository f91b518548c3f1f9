"""Read what the comments of a statement say of its columns.

    select
        o_orderkey as order_id, -- the shop's number
        o_total                 -- in euros, without tax
    from orders

Only the outermost select list counts (the first one, of a set operation), and only a comment
behind a column: on the line on which the column, or the comma after it, ends. This reads tokens,
not a parser's tree, so one module serves every dialect. What it does not understand has no
description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extract_project.sql.placeholders import ends_value
from extract_project.sql.tokens import Lexicon, Token, comments_at, name_of
from extract_project.sql.words import words

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_SET_OPERATIONS = words("union intersect except minus")
_AFTER_THE_LIST = _SET_OPERATIONS | words(
    "from into where having window qualify limit offset fetch for using sample start connect"
)
_AFTER_THE_LIST_WITH_BY = words("group order cluster distribute sort")
"""Without `by` they are something else, such as `within group (order by …)`."""
_NO_ALIAS = words("end null true false zone precision")
"""Last words of an expression that stand behind a value, but do not name it."""
_NO_ALIAS_AFTER = words("collate time double")

_NOT_PROSE = re.compile(r"[+!]|noqa\b|sqlfluff:|fmt:|todo\b|fixme\b|xxx\b|,|.*,$", re.IGNORECASE)
"""Hints, orders to tools, notes among authors, and columns that are commented out."""


def column_comments(text: str, tokens: Sequence[Token], lexicon: Lexicon) -> dict[str, str]:
    """The comment of each column that has one, by the column's name, in the order of the list.

    `tokens` are those of the one statement in `text`. Names without quotes are in lower case.
    Never raises.
    """
    found: dict[str, str] = {}
    repeated: set[str] = set()
    for item, comma in _items(tokens, _start(tokens)):
        name = _name(tokens, item)
        if name is None:
            continue
        if name in found:
            repeated.add(name)  # no result has two such columns: one of them was misread
        comment = _comment(text, tokens, item.stop - 1, comma, lexicon)
        found[name] = comment
    return {name: said for name, said in found.items() if said and name not in repeated}


def _start(tokens: Sequence[Token]) -> int:
    """The index of the first token of the list; the number of tokens if there is no list."""
    first = 0
    while first < len(tokens) and tokens[first].text == "(":
        first += 1
    for i, depth in _depths(tokens, first):
        if depth or _is_part_of_a_name(tokens, i):
            continue
        if tokens[i].lower == "select":
            return i + 1
        if tokens[i].lower in _SET_OPERATIONS:
            break
    return len(tokens)


def _items(tokens: Sequence[Token], start: int) -> Iterator[tuple[range, int | None]]:
    """The tokens of each item of the list, and the comma after it, as indexes."""
    begin = stop = start
    for i, depth in _depths(tokens, start):
        if depth == 0 and _ends_list(tokens, i):
            break
        stop = i + 1
        if depth == 0 and tokens[i].text == ",":
            if i > begin:
                yield range(begin, i), i
            begin = i + 1
    if stop > begin:
        yield range(begin, stop), None


def _depths(tokens: Sequence[Token], start: int) -> Iterator[tuple[int, int]]:
    """Each index from `start`, and how many brackets are open there, up to one that closes more."""
    depth = 0
    for i in range(start, len(tokens)):
        if tokens[i].text in _CLOSING and tokens[i].kind == "sign":
            depth -= 1
            if depth < 0:
                return
        yield i, depth
        if tokens[i].text in _OPENING and tokens[i].kind == "sign":
            depth += 1


def _ends_list(tokens: Sequence[Token], i: int) -> bool:
    word = tokens[i].lower
    if _is_part_of_a_name(tokens, i):
        return False
    if word in _AFTER_THE_LIST_WITH_BY:
        return i + 1 < len(tokens) and tokens[i + 1].lower in ("by", "all")
    if word == "from":  # but for `a is distinct from b`
        before = [token.lower for token in tokens[max(0, i - 2) : i]]
        return before not in (["is", "distinct"], ["not", "distinct"])
    return word in _AFTER_THE_LIST


def _is_part_of_a_name(tokens: Sequence[Token], i: int) -> bool:
    """Whether a word is the name of something, whatever it means elsewhere: `as limit`."""
    return i > 0 and (tokens[i - 1].text == "." or tokens[i - 1].lower == "as")


def _name(tokens: Sequence[Token], item: range) -> str | None:
    """The name of an item: its alias, or the last name of a column; None if it has neither."""
    last = item.stop - 1
    token = tokens[last]
    if token.kind not in ("word", "name") or token.lower in ("as", "distinct", "all"):
        return None
    before = tokens[last - 1] if len(item) > 1 else None
    if before is None or before.lower in ("as", "distinct", "all") or before.text == ".":
        return name_of(token)
    if token.lower in _NO_ALIAS or before.lower in _NO_ALIAS_AFTER:
        return None
    if last - 2 in item and tokens[last - 2].text == "::":  # a type of two words
        return None
    return name_of(token) if ends_value(tokens, last - 1) else None


def _comment(
    text: str, tokens: Sequence[Token], last: int, comma: int | None, lexicon: Lexicon
) -> str:
    """The comments behind an item, and behind its comma, on the same line; else an empty text."""
    found, _ = _behind(text, tokens[last].end, lexicon)
    if comma is not None:
        after, end = _behind(text, tokens[comma].end, lexicon)
        follower = tokens[comma + 1].start if comma + 1 < len(tokens) else len(text)
        if _breaks_line(text, end, follower):  # else they stand in front of the next item
            found += after
    return " ".join(filter(None, map(_prose, found)))


def _behind(text: str, end: int, lexicon: Lexicon) -> tuple[list[str], int]:
    """The comments that follow a place on its line, and where the last of them ends."""
    found = []
    for start, stop in comments_at(text, end, lexicon):
        if _breaks_line(text, end, start):
            break
        found.append(text[start:stop])
        end = stop
    return found, end


def _breaks_line(text: str, start: int, end: int) -> bool:
    return "\n" in text[start:end] or "\r" in text[start:end]


def _prose(comment: str) -> str:
    """The words of a comment, on one line."""
    if comment.startswith("/*"):
        body = comment[2:-2]
        body = " ".join(line.strip().lstrip("*") for line in body.splitlines())
    else:
        body = comment[2:]
    said = " ".join(body.strip("-=* \t\r\n").split())
    return "" if _NOT_PROSE.match(said) else said
