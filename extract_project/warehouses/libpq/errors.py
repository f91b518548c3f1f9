"""Errors of a server of PostgreSQL's protocol: what codes mean everywhere, and how one is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg

LOST = Meaning(Cause.NETWORK, transient=True)
BUSY = Meaning(Cause.BUSY, transient=True)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: the codes, and then the classes,
# which are the first two characters. All others are permanent errors of the SQL.
CODES: Mapping[str, Meaning] = {
    "3D000": Meaning(Cause.SETTINGS),  # invalid_catalog_name: no such database
    "40001": BUSY,  # serialization_failure, which a standby also says of a conflict
    "40P01": BUSY,  # deadlock_detected
    "55P03": BUSY,  # lock_not_available: the lock_timeout of the role or database has passed
    "57P01": LOST,  # admin_shutdown
    "57P02": LOST,  # crash_shutdown
    "57P03": BUSY,  # cannot_connect_now
}
_CLASSES: Mapping[str, Meaning] = {
    "08": LOST,  # connection exception
    "28": Meaning(Cause.SIGN_IN),  # invalid authorization specification
    "53": BUSY,  # insufficient resources
}


def meaning_of(code: str | None, codes: Mapping[str, Meaning]) -> Meaning:
    """The meaning of an error's code. An error without one comes from a lost connection."""
    if code is None:
        return LOST
    return codes.get(code) or _CLASSES.get(code[:2]) or Meaning()


def uncapitalized(more: str) -> str:
    """A detail or a hint, to go on with behind a semicolon."""
    return f"{more[:1].lower()}{more[1:]}"


def explained(
    error: psycopg.Error,
    meaning: Callable[[str], Meaning],
    statement: Rendered | None = None,
    before: int = 0,
    rows: int | None = None,
    *,
    plain: Callable[[str], str] = uncapitalized,
) -> WarehouseError:
    """The server's error as a WarehouseError, after `rows` rows of the result.

    Its position counts in the statement that was sent, in which `before` characters precede the
    author's text. `meaning` is asked about the server's words, of which `plain` makes details and
    hints readable.
    """
    said = error.diag
    parts = [said.message_primary or str(error).strip()]
    parts += [plain(more) for more in (said.message_detail, said.message_hint) if more]
    message = "; ".join(parts)
    known = meaning(message)
    line = column = None
    if statement is not None and said.statement_position:
        line, column = statement.origin(int(said.statement_position) - 1 - before)
    if rows is not None:
        message = f"after {rows:,} rows: {message}"
    if error.sqlstate:
        message = f"{message} ({error.sqlstate})"
    return known.error(message, line, column)
