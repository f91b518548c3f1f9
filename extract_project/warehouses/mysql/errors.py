"""MySQL's error codes: the cause of failure, whether it is transient, and where it is in the SQL.

Codes are the same in every language; those from 1900 to 1999, and from 4000 on, are MariaDB's or
MySQL's own (MySQL's "Server Error Message Reference", MariaDB's "MariaDB Error Codes").
"""

from __future__ import annotations

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.mysql.place import place
from extract_project.warehouses.mysql.server_error import ServerError
from extract_project.warehouses.protocol import Rendered

INTERRUPTED = 1317
"""The code of a `KILL QUERY`."""
TOO_SLOW = (1969, 3024)
"""The codes of `max_statement_time`, MariaDB's, and of `max_execution_time`, MySQL's."""

LOST = Meaning(Cause.NETWORK, transient=True)
_BUSY = Meaning(Cause.BUSY, transient=True)
_SIGN_IN = Meaning(Cause.SIGN_IN)
_SETTINGS = Meaning(Cause.SETTINGS)
_RIGHTS = Meaning(
    Cause.PERMISSION, hint="grant select on it to the user of the warehouse's settings"
)
_FULL = Meaning(
    Cause.BUSY, transient=True, hint="the server has no room for the query's temporary table"
)

_MEANINGS = {
    LOST: (
        *(1053, 1077, 1078, 1079),  # the server is shutting down
        *(1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031),  # the connection was ended
    ),
    _BUSY: (
        *(1040, 1203, 1226),  # too many connections
        *(1205, 1213, 3572),  # a lock
        *(1412, 1615),  # a table was changed meanwhile
        *(1047, 1461),  # a Galera node that is not ready; too many prepared statements
    ),
    Meaning(Cause.MEMORY, transient=True, hint="the server is out of memory"): (
        *(1037, 1038, 1041),
    ),
    _FULL: (1021, 1114),
    _SIGN_IN: (1045, 1698, 1130, 1820, 1862, 3118, 4151),
    _SETTINGS: (1049, 1129, 1251, 1524, 3159),
    _RIGHTS: (1044, 1142, 1143, 1370),
    Meaning(Cause.PERMISSION): (1227,),  # a right on the server, which the message names
    Meaning(
        Cause.PERMISSION,
        hint="a view reads with the rights of its definer: check that they are still there",
    ): (1356,),
    Meaning(Cause.CANCELLED): (INTERRUPTED,),
    Meaning(Cause.TIMEOUT): TOO_SLOW,
}
_CODES = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}


def meaning(code: int) -> Meaning:
    """The meaning of an error's code; one that is not known is a permanent error of the SQL."""
    return _CODES.get(code, Meaning())


def explained(
    error: ServerError, statement: Rendered | None = None, rows: int | None = None
) -> WarehouseError:
    """The server's error as a WarehouseError, after `rows` rows of the result."""
    line = column = None
    if statement is not None and (at := place(error.code, error.message, statement)):
        line, column = at
    known = meaning(error.code)
    message = str(error) if rows is None else f"after {rows:,} rows: {error}"
    return known.error(message, line, column)
