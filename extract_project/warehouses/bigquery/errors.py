"""BigQuery's errors: the cause of failure, whether it is transient, and hints.

A job that fails, and a request that is refused, have a reason
(https://cloud.google.com/bigquery/docs/error-messages).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.sql.query import Rendered
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.rest import RequestRefused

_SHOWN = 500
_TAB = 8
_BUSY = Meaning(Cause.BUSY, transient=True)
_SIGN_IN = Meaning(Cause.SIGN_IN, hint="check CREDENTIALS, or CREDENTIALS_PATH")
_SETTINGS = Meaning(Cause.SETTINGS, hint="check PROJECT, LOCATION and ENDPOINT")
_REASONS = {
    "accessDenied": Meaning(
        Cause.PERMISSION,
        hint="grant BigQuery Data Viewer, Job User and Read Session User to the account that "
        "signs in: see docs/bigquery.md",
    ),
    "authError": _SIGN_IN,
    "backendError": _BUSY,
    "badGateway": _BUSY,
    "billingNotEnabled": Meaning(Cause.SETTINGS, hint="enable billing for PROJECT"),
    "blocked": Meaning(Cause.BUSY),
    "internalError": _BUSY,
    "invalid": Meaning(),
    "invalidQuery": Meaning(),
    "jobBackendError": _BUSY,
    "jobInternalError": _BUSY,
    "jobRateLimitExceeded": _BUSY,
    "notFound": Meaning(hint="check the name, and PROJECT, DATASET and LOCATION of the settings"),
    "quotaExceeded": Meaning(Cause.BUSY, hint="a quota of the project is used up"),
    "rateLimitExceeded": _BUSY,
    "required": _SIGN_IN,
    "resourceInUse": _BUSY,
    "resourcesExceeded": Meaning(hint="make the query simpler, or read less at a time"),
    "responseTooLarge": Meaning(
        hint="BigQuery keeps some 10 GB of a result, compressed: publish less at a time, as with "
        "'partitions' in the header"
    ),
    "tableUnavailable": _BUSY,
}
_HTTP = {
    401: _SIGN_IN,
    403: Meaning(Cause.PERMISSION),
    404: _SETTINGS,
    408: Meaning(Cause.NETWORK, transient=True),
    429: _BUSY,
}
_SERVER_ERROR = 500
_PLACE = re.compile(r" at \[(\d+):(\d+)\]")
DUPLICATE = "duplicate"
"""The reason that BigQuery gives if another job has the same id."""
INVALID_QUERY = "invalidQuery"
_TOO_MANY_BYTES = "bytesBilledLimitExceeded"
_READ_LESS = "read less, as by a partition of the table, or raise 'max_bytes' in the header"


class TooManyBytes(WarehouseError):
    """The query would be billed for more bytes than `max_bytes` in the header allows."""

    key = "max_bytes"


def of_job(job: Mapping[str, Any], rendered: Rendered | None = None) -> WarehouseError:
    """The error of a job that has ended without a result."""
    error = job["status"]["errorResult"]
    reason, message = str(error.get("reason") or ""), _one_line(error.get("message"))
    if reason == "timeout" or (reason == "stopped" and _took_its_time(job)):
        return QueryTimeout(f"BigQuery ended the query: {message}")
    if reason == "stopped":
        return QueryCancelled("the query was cancelled in BigQuery, but not by this run")
    return _error(reason, message, _REASONS.get(reason, Meaning()), rendered)


def of_query(refused: RequestRefused, rendered: Rendered) -> WarehouseError:
    """A refused request as an error of the query in it, with the place in the SQL file."""
    if refused.code == _TOO_MANY_BYTES:
        return TooManyBytes(f"{refused}: {_READ_LESS}")
    refused.line, refused.column = _place(str(refused), rendered)
    return refused


def of_status(status: int, body: str, what: str) -> RequestRefused:
    """The error of a request that was refused; `what` says which, without secrets."""
    reason, message = _told(body)
    known = _REASONS.get(reason) or _HTTP.get(status)
    if known is None:
        known = Meaning(Cause.NETWORK, transient=status >= _SERVER_ERROR)
    if known.cause is Cause.SQL:  # no matter which request it was
        said = f"bigquery: {message} ({reason})"
    else:
        said = f"{what}: HTTP {status}{reason and f' {reason}'}{message and f': {message}'}"
    refused = RequestRefused(known.told(said), cause=known.cause, transient=known.transient)
    refused.status, refused.code = status, reason
    return refused


def _error(reason: str, message: str, known: Meaning, rendered: Rendered | None) -> WarehouseError:
    line, column = _place(message, rendered)
    if reason == _TOO_MANY_BYTES:
        return TooManyBytes(f"bigquery: {message}: {_READ_LESS}")
    return known.error(f"bigquery: {message} ({reason})", line, column)


def _took_its_time(job: Mapping[str, Any]) -> bool:
    """Whether a job ran for as long as it was allowed to: BigQuery then stops it."""
    limit = (job.get("configuration") or {}).get("jobTimeoutMs")
    times = job.get("statistics") or {}
    if not limit or not times.get("creationTime") or not times.get("endTime"):
        return False
    return int(times["endTime"]) - int(times["creationTime"]) >= int(limit)


def _told(body: str) -> tuple[str, str]:
    """The reason and the message of a refusal, which may be HTML of a proxy."""
    try:
        error = json.loads(body)["error"]
        reasons = [str(each.get("reason") or "") for each in error.get("errors") or ()]
        return next(iter(reasons), ""), _one_line(error.get("message"))[:_SHOWN]
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", ""


def _one_line(message: Any) -> str:
    return " ".join(str(message or "no reason was given").split())


def _place(message: str, rendered: Rendered | None) -> tuple[int | None, int | None]:
    """Line and column in the SQL file.

    BigQuery counts characters, and a tab as far as the next multiple of eight (`parse_location.cc`
    of ZetaSQL, its analyzer).
    """
    found = _PLACE.search(message)
    if found is None or rendered is None:
        return None, None
    line, column = int(found[1]), int(found[2])
    lines = rendered.text.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    return rendered.origin_of(line, _without_tabs(text, column))


def _without_tabs(line: str, column: int) -> int:
    """The column of a line in which a tab is one character."""
    at = 1
    for index, character in enumerate(line, 1):
        if at >= column:
            return index
        at += _TAB - (at - 1) % _TAB if character == "\t" else 1
    return len(line) + 1
