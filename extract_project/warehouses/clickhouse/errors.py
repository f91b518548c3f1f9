"""ClickHouse's errors: the cause of failure, whether it is transient, and its place.

Codes are those of `src/Common/ErrorCodes.cpp`. Only errors of syntax have a position; for others
the name that the message quotes is looked up in the SQL.
"""

from __future__ import annotations

import re

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.problem import Refused, position
from extract_project.sql.tokens import CLICKHOUSE, name_of, tokenize
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

_BUSY = Meaning(Cause.BUSY, transient=True)
_NETWORK = Meaning(Cause.NETWORK, transient=True)
_SIGN_IN = Meaning(Cause.SIGN_IN, hint="check USER and PASSWORD")
_MEMORY = Meaning(Cause.BUSY, transient=True, hint="the server has no memory left for the query")
_CODES = {
    60: Meaning(hint="check the name, and DATABASE of the warehouse's settings"),
    81: Meaning(hint="check the name, and DATABASE of the warehouse's settings"),
    115: Meaning(Cause.SETTINGS, hint="extracts need ClickHouse 24.8 or later"),
    164: Meaning(
        Cause.PERMISSION,
        hint="an extract may only read, and may change no setting; if the statement does neither, "
        "the user's profile has readonly = 1, which refuses our settings: set it to 0",
    ),
    192: _SIGN_IN,
    193: _SIGN_IN,
    194: _SIGN_IN,
    195: _SIGN_IN,
    516: _SIGN_IN,
    452: Meaning(
        Cause.SETTINGS,
        hint="a constraint of the user's profile forbids a setting that each extract needs: see "
        "docs/clickhouse.md",
    ),
    497: Meaning(Cause.PERMISSION, hint="grant select on the tables: see docs/clickhouse.md"),
    201: Meaning(Cause.BUSY, transient=True, hint="a quota of the user is used up"),
    202: _BUSY,
    203: _BUSY,
    241: _MEMORY,
    3: _NETWORK,
    32: _NETWORK,
    209: _NETWORK,
    210: _NETWORK,
    236: _BUSY,
    242: _BUSY,
    243: _BUSY,
    279: _NETWORK,
    319: _BUSY,
    425: _NETWORK,
    439: _BUSY,
    999: _BUSY,
}
_TIMEOUT, _CANCELLED = (159, 160), 394
_EXCEPTION = re.compile(
    r"Code: (\d+)\. DB::Exception: (.*?)(?: \(version [^()]*(?:\([^()]*\))?\))?\s*$", re.DOTALL
)
_SYNTAX_PLACE = re.compile(r"failed at position (\d+)")
"""In bytes, from 1."""
_QUOTED = re.compile(r"[`']([^`']+)[`']")
_SHOWN = 800
_PROXY_BUSY = (429, 502, 503, 504)


class ServerError(WarehouseError):
    """ClickHouse's own error; `code` is its number."""

    code: int = 0


def of_text(text: str, rendered: Rendered | None = None, before: int = 0) -> ServerError | None:
    """The server's error in the text of a body, wherever it begins; None if there is none.

    `before` characters of the first line that was sent are not the author's.
    """
    begin = text.rfind("Code: ")
    found = _EXCEPTION.search(text, max(0, begin)) if begin >= 0 else None
    if found is None:
        return None
    code, message = int(found[1]), " ".join(found[2].split())
    line, column = _place(message, rendered, before) if rendered else (None, None)
    return _made(code, message, line, column)


def of_reply(
    status: int, body: str, what: str, rendered: Rendered | None = None, before: int = 0
) -> WarehouseError:
    """The error of an answer with another status than 200."""
    told = of_text(body, rendered, before)
    if told:
        return told
    busy = status in _PROXY_BUSY
    return WarehouseError(
        f"{what}: HTTP {status}, which is not ClickHouse's answer:  "
        f"{'run it again' if busy else 'check HOST, PORT and PROTOCOL'}",
        cause=Cause.NETWORK if busy else Cause.SETTINGS,
        transient=busy,
    )


def _made(code: int, message: str, line: int | None, column: int | None) -> ServerError:
    known = _CODES.get(code, Meaning())
    said = known.told(f"clickhouse: {message[:_SHOWN]}")
    kind = _Cancelled if code == _CANCELLED else _TimedOut if code in _TIMEOUT else ServerError
    cause = kind.cause if code in (*_TIMEOUT, _CANCELLED) else known.cause
    error = kind(said, cause=cause, line=line, column=column, transient=known.transient)
    error.code = code
    return error


class _Cancelled(ServerError, QueryCancelled):
    """It was killed, but not by this run."""

    cause = QueryCancelled.cause


class _TimedOut(ServerError, QueryTimeout):
    """The server has ended it."""

    cause = QueryTimeout.cause


def _place(message: str, rendered: Rendered, before: int) -> tuple[int | None, int | None]:
    syntax = _SYNTAX_PLACE.search(message)
    if syntax:
        encoded = rendered.text.encode()[: max(0, int(syntax[1]) - 1 - before)]
        return rendered.origin(len(encoded.decode(errors="ignore")))
    for quoted in _QUOTED.findall(message.partition(" In scope ")[0]):
        offset = _only_place(quoted, rendered.source)
        if offset is not None:
            return position(rendered.source, offset)
    return None, None


def _only_place(name: str, source: str) -> int | None:
    """Where a name stands in the SQL, if it stands there once."""
    try:
        tokens = [each for each in tokenize(source, CLICKHOUSE) if each.kind in ("word", "name")]
    except Refused:
        return None
    last = name.rpartition(".")[2]
    found = [each.start for each in tokens if last in (each.text, name_of(each))]
    return found[0] if len(found) == 1 else None
