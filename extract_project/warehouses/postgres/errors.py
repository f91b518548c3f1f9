"""PostgreSQL's error codes: the cause of failure, and whether it is transient.

Codes are the same in every language of a server; its messages are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.libpq import errors as libpq
from extract_project.warehouses.libpq.errors import BUSY, CODES, LOST, meaning_of
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg

TRANSACTION_TIMEOUT = "25P04"
_TOO_SLOW = Meaning(Cause.TIMEOUT)
_FOREIGN_TEXT = Meaning(
    hint="a file is UTF-8, and the database has text that is not, or does not say in which "
    "encoding it is. In a database of SQL_ASCII, where the column holds e.g. LATIN1, write "
    "convert_from(convert(convert_to(name, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')"
)

_CODES = {
    **CODES,
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
    "42501": Meaning(  # insufficient_privilege
        Cause.PERMISSION, hint="grant select on it to the user of the warehouse's settings"
    ),
    "57P04": Meaning(Cause.SETTINGS),  # database_dropped
    "57P05": LOST,  # idle_session_timeout
    "72000": BUSY,  # snapshot_too_old
    "XX000": Meaning(transient=True),  # internal_error: of what was dropped under the query, too
}


def meaning(code: str | None) -> Meaning:
    """The meaning of an error's code."""
    return meaning_of(code, _CODES)


def explained(
    error: psycopg.Error,
    statement: Rendered | None = None,
    before: int = 0,
    rows: int | None = None,
) -> WarehouseError:
    """The server's error as a WarehouseError; see `libpq.errors.explained`."""
    return libpq.explained(error, lambda _: meaning(error.sqlstate), statement, before, rows)
