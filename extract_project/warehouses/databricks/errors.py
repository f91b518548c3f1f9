"""Databricks' errors: the cause of failure, whether it is transient, and hints.

A statement that fails has an SQLSTATE, an error class in brackets at the beginning of its message
(https://docs.databricks.com/en/error-messages/error-classes.html), and a code of the service. A
request that is refused has an HTTP status, and a code of the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered
from extract_project.warehouses.rest import RequestRefused

_SHOWN = 500


_BUSY = Meaning(Cause.BUSY, transient=True)
_NETWORK = Meaning(Cause.NETWORK, transient=True)
_RIGHTS = Meaning(
    Cause.PERMISSION,
    hint="grant USE CATALOG, USE SCHEMA and SELECT to the account that signs in: "
    "see docs/databricks.md",
)
_STATES = {
    "42501": _RIGHTS,
    "42P01": Meaning(hint="check the name, and CATALOG and SCHEMA of the warehouse's settings"),
    "42704": Meaning(hint="check the name, and CATALOG and SCHEMA of the warehouse's settings"),
    "53200": Meaning(Cause.BUSY, transient=True),
}
_CLASSES = {
    "08": _NETWORK,
    "28": Meaning(Cause.SIGN_IN),
    "53": _BUSY,
    "57": _BUSY,
    "58": _BUSY,
}
"""By the first two characters of an SQLSTATE."""
_SERVICE = {
    "TEMPORARILY_UNAVAILABLE": _BUSY,
    "WORKSPACE_TEMPORARILY_UNAVAILABLE": _BUSY,
    "SERVICE_UNDER_MAINTENANCE": _BUSY,
    "RESOURCE_EXHAUSTED": _BUSY,
    "ABORTED": _BUSY,
    "IO_ERROR": _BUSY,
    "INTERNAL_ERROR": _BUSY,
    "UNAUTHENTICATED": Meaning(Cause.SIGN_IN, hint="check TOKEN, or CLIENT_ID and CLIENT_SECRET"),
}
_HTTP = {
    401: Meaning(Cause.SIGN_IN, hint="check TOKEN, or CLIENT_ID and CLIENT_SECRET"),
    403: Meaning(
        Cause.PERMISSION,
        hint="grant CAN USE on the SQL warehouse to the account that signs in; otherwise an IP "
        "access list excludes this address, or the token belongs to another workspace",
    ),
    404: Meaning(Cause.SETTINGS, hint="check HOST and WAREHOUSE_ID"),
    408: _NETWORK,
    429: Meaning(Cause.BUSY, transient=True),
}
_PLACE = re.compile(r"\(?\bline (\d+), pos (\d+)\)?|; line (\d+) pos (\d+)")
_TABLE_IS_NOT_THERE = ("42P01", "42704", "42501", "42809", "0AKD1", "56038")


def of_statement(
    status: Mapping[str, Any], rendered: Rendered | None = None, before: int = 0
) -> WarehouseError:
    """The error of a statement that did not succeed.

    `before` characters of the first line that was sent are not the author's. Databricks counts
    positions from 0.
    """
    error = status.get("error") or {}
    message = " ".join(str(error.get("message") or "no reason was given").split())
    state = str(status.get("sql_state") or "")
    if status.get("state") == "CANCELED":
        return QueryCancelled("the query was cancelled in Databricks, but not by this run")
    if status.get("state") == "CLOSED":
        return WarehouseError(
            "databricks has closed the statement, and its rows are gone: run it again",
            cause=Cause.NETWORK,
            transient=True,
        )
    timed_out = "STATEMENT_TIMEOUT" in message or error.get("error_code") == "DEADLINE_EXCEEDED"
    if timed_out and state[:2] in ("", "57", "HY"):
        return QueryTimeout(f"Databricks ended the query: {message}")
    known = _STATES.get(state) or _SERVICE.get(str(error.get("error_code")))
    known = known or _CLASSES.get(state[:2], Meaning())
    line, column = _place(message, rendered, before)
    told = f" ({state})" if state and state not in message else ""
    failed = StatementFailed(
        known.told(f"databricks: {message}{told}"),
        cause=known.cause,
        line=line,
        column=column,
        transient=known.transient,
    )
    failed.state = state
    return failed


class StatementFailed(WarehouseError):
    """A statement ended without a result; `state` is its SQLSTATE."""

    state: str = ""


def is_about_table(error: WarehouseError) -> bool:
    """Whether a statement failed because of the one table that it names."""
    return isinstance(error, StatementFailed) and error.state in _TABLE_IS_NOT_THERE


def of_status(status: int, body: str, what: str) -> RequestRefused:
    """The error of a request that was refused; `what` says which, without secrets."""
    code, message = _told(body)
    known = _HTTP.get(status) or _SERVICE.get(code)
    if known is None:
        known = _NETWORK if status >= 500 else Meaning(Cause.SETTINGS)  # noqa: PLR2004
    said = f"{what}: HTTP {status}{code and f' {code}'}{message and f': {message}'}"
    refused = RequestRefused(known.told(said), cause=known.cause, transient=known.transient)
    refused.status, refused.code = status, code
    return refused


def _told(body: str) -> tuple[str, str]:
    """The code and the message of a refusal, which may be HTML of a proxy."""
    try:
        answer = json.loads(body)
    except ValueError:
        return "", ""
    if not isinstance(answer, dict):
        return "", ""
    message = " ".join(str(answer.get("message") or "").split())
    return str(answer.get("error_code") or ""), message[:_SHOWN]


def _place(message: str, rendered: Rendered | None, before: int) -> tuple[int | None, int | None]:
    found = _PLACE.search(message) if rendered else None
    if found is None or rendered is None:
        return None, None
    line, position = (int(each) for each in found.groups() if each is not None)
    column = position + 1 - (before if line == 1 else 0)
    if column < 1:
        return line, None
    return rendered.origin_of(line, column)
