"""Where in the author's text an error of MySQL's is.

The server gives a position for syntax errors only, as a line and the text that begins there. Of
other errors it quotes the name that is at fault: the first place that has it, spelled so, is taken.
"""

from __future__ import annotations

import re

from extract_project.problem import Refused
from extract_project.sql.tokens import MYSQL, Token, name_of, tokenize
from extract_project.warehouses.protocol import Rendered

_SYNTAX = 1064
_NEAR = re.compile(r"near '(.*)' at line (\d+)", re.DOTALL)
_NAMED = {
    1051: r"Unknown table '(.+?)'$",
    1052: r"Column '(.+?)' in .+ is ambiguous",
    1054: r"Unknown column '(.+?)' in ",
    1109: r"Unknown table '(.+?)' in ",
    1142: r"for table (.+)$",
    1143: r"for column '(.+?)' in table",
    1146: r"Table '(.+?)' doesn't exist",
    1247: r"Reference '(.+?)' not supported",
    1305: r"FUNCTION (.+?) does not exist",
    1370: r"for routine '(.+?)'$",
}
"""By code, what precedes and follows the name in the message."""


def place(code: int, message: str, statement: Rendered) -> tuple[int, int] | None:
    """Line and column in the author's file, if the message says where."""
    if code == _SYNTAX:
        offset = _of_syntax(message, statement.text)
    else:
        found = re.search(_NAMED[code], message) if code in _NAMED else None
        offset = _of_name(found[1], statement.text) if found else None
    return None if offset is None else statement.origin(offset)


def _of_syntax(message: str, text: str) -> int | None:
    """The text that is quoted goes on to the end of the statement, or is cut."""
    found = _NEAR.search(message)
    if not found:
        return None
    quoted, line = found[1], int(found[2])
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    if not quoted:
        return len(text)
    at = text.find(quoted, max(0, start))
    return at if at >= 0 else start


def _of_name(name: str, text: str) -> int | None:
    """The first token, or dotted tokens, of this name; the database may be left out."""
    try:
        tokens = tokenize(text, MYSQL)
    except Refused:
        return None
    parts = [part.strip("`").lower() for part in name.split(".")]
    for count in range(len(parts), 0, -1):
        wanted = parts[-count:]
        for index, token in enumerate(tokens):
            if _dotted(tokens, index, count) == wanted:
                return token.start
    return None


def _dotted(tokens: list[Token], start: int, count: int) -> list[str]:
    """The names of so many tokens with points between them."""
    those = tokens[start : start + 2 * count - 1]
    if any(each.text != "." for each in those[1::2]):
        return []
    return [name_of(each).lower() for each in those[::2] if each.kind in ("word", "name")]
