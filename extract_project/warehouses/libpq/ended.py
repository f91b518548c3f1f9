"""Why a server has ended a statement: its code is the same for a cancel and for a time limit."""

from __future__ import annotations

from extract_project.errors import QueryCancelled, QueryTimeout, WarehouseError
from extract_project.warehouses.libpq.connection import Connection

CANCELED = "57014"
"""The code of a cancel, and also of a `statement_timeout`."""


def ended(connection: Connection, seconds: float | None, way_out: str) -> WarehouseError:
    """The error for a statement that ended with `CANCELED`.

    The elapsed time tells whether it was the limit of so many `seconds`; `way_out` says whose it
    is.
    """
    if seconds is not None and connection.elapsed >= seconds:
        return QueryTimeout(
            f"the server ended the query after {seconds:g} s ({CANCELED}): make it cheaper, or "
            f"raise {way_out}"
        )
    if connection.is_cancelled:
        return QueryCancelled(f"the run was stopped, and its query cancelled ({CANCELED})")
    return QueryCancelled(
        f"the query was cancelled in the server, but not by this run ({CANCELED})"
    )
