"""PostgreSQL's error codes: the cause of failure, and whether it is transient.

Codes are the same in every language of a server; its messages are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg

TRANSACTION_TIMEOUT = "25P04"


_LOST = Meaning(Cause.NETWORK, transient=True)
_BUSY = Meaning(Cause.BUSY, transient=True)
_TOO_SLOW = Meaning(Cause.TIMEOUT)
_FOREIGN_TEXT = Meaning(
    hint="a file is UTF-8, and the database has text that is not, or does not say in which "
    "encoding it is. In a database of SQL_ASCII, where the column holds e.g. LATIN1, write "
    "convert_from(convert(convert_to(name, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')"
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html: the codes, and then the classes,
# which are the first two characters. All others are permanent errors of the SQL.
_CODES = {
    "08P01": Meaning(  # protocol_violation: pgbouncer's code for whatever it refuses itself
        Cause.BUSY,
        transient=True,
        hint="a pooler says so when its connections are taken for too long, and when its pool_mode "
        "is 'statement', with which no extract can run: set it to 'transaction'",
    ),
    "22021": _FOREIGN_TEXT,  # character_not_in_repertoire
    "22P05": Meaning(  # untranslatable_character
        hint="the text has a character that the database's encoding, or UTF-8, does not know: "
        "leave it out of the SQL file, comments too, or replace it in the column"
    ),
    "25P03": Meaning(  # idle_in_transaction_session_timeout
        Cause.NETWORK,
        transient=True,
        hint="between describing the result and reading it, S3 was asked for longer than the "
        "role's or database's idle_in_transaction_session_timeout: raise it",
    ),
    TRANSACTION_TIMEOUT: _TOO_SLOW,
    "3D000": Meaning(Cause.SETTINGS),  # invalid_catalog_name: no such database
    "40001": _BUSY,  # serialization_failure, which a standby also says of a conflict
    "40P01": _BUSY,  # deadlock_detected
    "42501": Meaning(  # insufficient_privilege
        Cause.PERMISSION, hint="grant select on it to the user of the warehouse's settings"
    ),
    "55P03": _BUSY,  # lock_not_available: the lock_timeout of the role or database has passed
    "57P01": _LOST,  # admin_shutdown
    "57P02": _LOST,  # crash_shutdown
    "57P03": _BUSY,  # cannot_connect_now
    "57P04": Meaning(Cause.SETTINGS),  # database_dropped
    "57P05": _LOST,  # idle_session_timeout
    "72000": _BUSY,  # snapshot_too_old
    "XX000": Meaning(transient=True),  # internal_error: of what was dropped under the query, too
}
_CLASSES = {
    "08": _LOST,  # connection exception
    "28": Meaning(Cause.SIGN_IN),  # invalid authorization specification
    "53": _BUSY,  # insufficient resources
}


def meaning(code: str | None) -> Meaning:
    """The meaning of an error's code. An error without one comes from a lost connection."""
    if code is None:
        return _LOST
    return _CODES.get(code) or _CLASSES.get(code[:2]) or Meaning()


def explained(
    error: psycopg.Error,
    statement: Rendered | None = None,
    before: int = 0,
    rows: int | None = None,
) -> WarehouseError:
    """The server's error as a WarehouseError, after `rows` rows of the result.

    Its position counts in the statement that was sent, in which `before` characters precede the
    author's text.
    """
    said = error.diag
    parts = [said.message_primary or str(error).strip()]
    parts += [f"{more[:1].lower()}{more[1:]}" for more in (said.message_detail, said.message_hint)
              if more]  # fmt: skip
    message = "; ".join(parts) if rows is None else f"after {rows:,} rows: {'; '.join(parts)}"
    line = column = None
    if statement is not None and said.statement_position:
        line, column = statement.origin(int(said.statement_position) - 1 - before)
    known = meaning(error.sqlstate)
    if error.sqlstate:
        message = f"{message} ({error.sqlstate})"
    return WarehouseError(
        f"{message}: {known.hint}" if known.hint else message,
        cause=known.cause,
        line=line,
        column=column,
        transient=known.transient,
    )
