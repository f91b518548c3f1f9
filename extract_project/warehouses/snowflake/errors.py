"""Snowflake's error codes: the cause of failure, whether it is transient, and hints."""

from __future__ import annotations

import re

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Query

IN_PROGRESS = {333333, 333334}
_CANCELLED, _TIMED_OUT = 604, 630


def _refused(hint: str) -> Meaning:
    return Meaning(Cause.SIGN_IN, hint=hint)


_HTTP = Meaning(Cause.NETWORK, transient=True)
_GONE = Meaning(Cause.NETWORK, transient=True)

# From the connector's source (`sf_core/src/rest/snowflake/mod.rs`, `http/retry.rs`) and the
# service's documentation and messages.
_CODES = {
    4: _HTTP,  # the connector's own: HTTP failed after its retries
    6: _HTTP,  # the connector's own: a reply that was cut short
    14: _HTTP,  # the connector's own: no reply in time
    250001: _HTTP,  # sign-in got no proper reply
    252005: _HTTP,  # a batch that could not be read
    603: Meaning(Cause.BUSY, transient=True),  # aborted by an error inside the service
    606: Meaning(
        Cause.SETTINGS,
        hint="set WAREHOUSE in the warehouse's settings, and grant USAGE on it to the role",
    ),
    608: Meaning(
        Cause.SETTINGS,
        hint="the warehouse is suspended and does not resume by itself: alter warehouse … resume, "
        "or for good: alter warehouse … set auto_resume = true",
    ),
    612: _GONE,  # the result is no longer there
    625: Meaning(Cause.BUSY, transient=True),  # somebody else holds a lock
    2003: Meaning(
        Cause.PERMISSION,
        hint="check the name, and that the role has USAGE on its database and schema and "
        "SELECT on it",
    ),
    2043: Meaning(
        Cause.PERMISSION,
        hint="check the name, and that the role may use it",
    ),
    3001: Meaning(Cause.PERMISSION, hint="grant what is missing to the role, or set another ROLE"),
    90073: Meaning(
        Cause.BUSY, hint="a resource monitor has suspended the warehouse: raise its quota"
    ),
    90105: Meaning(Cause.SETTINGS, hint="set DATABASE in the warehouse's settings, or name it"),
    90106: Meaning(Cause.SETTINGS, hint="set SCHEMA in the warehouse's settings, or name it"),
    370001: Meaning(Cause.BUSY, transient=True),  # an error inside the service
    390100: _refused("check user and sign-in method of the warehouse's settings"),
    390101: _refused("check user and sign-in method of the warehouse's settings"),
    390104: _GONE,  # the session's token is not known
    390111: _GONE,  # the session is gone
    390114: _GONE,  # the session's master token has expired
    390115: _GONE,
    390117: _GONE,
    390144: _refused(
        "the public key of this private key is not the user's: "
        "alter user … set rsa_public_key = '…'; a clock that is wrong does it too"
    ),
    390201: _refused(
        "the database, schema, warehouse or role of the settings does not exist, "
        "or is not granted to the user"
    ),
    390303: _refused("the token is not valid: issue a new one"),
    390318: _refused("the token has expired: issue a new one"),
    390422: _refused("a network policy keeps this address out: add it, or use PrivateLink"),
    394304: _refused("the token is not valid for this user, or a network policy is missing"),
}

_CLASSES = {
    "08": _HTTP,  # connection
    "53": Meaning(Cause.BUSY, transient=True),  # resources
    "57": Meaning(Cause.BUSY),  # somebody or something intervened
}
"""The meaning of codes that are not in the table, by the class of their SQLSTATE."""

_PLACE = re.compile(r"\bline (\d+) at position (\d+)")


def explained(error: Exception, what: str, query: Query | None = None) -> WarehouseError:
    """The connector's error as a WarehouseError; `what` says what was being done.

    The text is sent unchanged, so the line is the file's. Snowflake counts positions from 0.
    """
    code = getattr(error, "errno", None)
    message = str(getattr(error, "raw_msg", None) or error).strip()
    if code == _CANCELLED:
        return QueryCancelled("the query was cancelled in Snowflake, but not by this run")
    if code == _TIMED_OUT:
        return QueryTimeout(f"Snowflake ended the query: {message}")
    known = _known(error, code or 0)
    line, column, message = _place(message, query)
    numbered = f" ({code:06d})" if code and code > 0 else ""
    return known.error(f"{what}: {message}{numbered}", line, column)


def _known(error: Exception, code: int) -> Meaning:
    from snowflake.connector import OperationalError

    state = str(getattr(error, "sqlstate", None) or "")
    if code <= 0 and isinstance(error, OperationalError):
        return _HTTP  # the connector's own: a reply that it does not understand
    return _CODES.get(code) or _CLASSES.get(state[:2], Meaning())


def _place(message: str, query: Query | None) -> tuple[int | None, int | None, str]:
    flat = " ".join(message.split())
    found = _PLACE.search(flat) if query else None
    if not found:
        return None, None, flat
    return int(found.group(1)), int(found.group(2)) + 1, flat
