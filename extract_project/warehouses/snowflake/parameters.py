"""Fix the session's parameters, whatever an account, a user or a role has set.

A parameter that changes rows, values or their text would make one SQL file give two results in two
accounts, or for two users of one. So each session sets all of them when it signs in, and reads them
back before its first query: one that Snowflake did not accept is an error, not another result.
A value is Snowflake's own default, which is what a console of a fresh account shows, except where
that default loses something: the time zone, the indentation and strictness of JSON, the output
formats of times, and that of GEOMETRY.

Limits of time and locks are lowered, never raised. A virtual warehouse's own limits hold beside
them: Snowflake itself takes the lower one.

The list follows https://docs.snowflake.com/en/sql-reference/parameters, as far as a session,
a user or an account can set them. `LEFT` has the others, with the reason why they are not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.snowflake.errors import explained

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_ROWS = "changes which rows a result has"
_VALUES = "changes values"
_TEXT = "changes the text of values"


@dataclass(frozen=True)
class Set:
    """A parameter's value in all our sessions, and the reason for it."""

    value: str
    why: str


OURS: Mapping[str, Set] = {
    "ROWS_PER_RESULTSET": Set("0", f"{_ROWS}: it cuts them silently, and the count agrees"),
    "SEARCH_PATH": Set("$current, $public", f"{_ROWS}: it says which table a bare name means"),
    "QUOTED_IDENTIFIERS_IGNORE_CASE": Set(
        "false", f'{_ROWS} and the names of columns: true reads "id" as ID'
    ),
    "DEFAULT_NULL_ORDERING": Set("LAST", f"{_ROWS}: of `order by … limit`"),
    "MULTI_STATEMENT_COUNT": Set("1", "0 lets several statements pass as one (G7)"),
    "AUTOCOMMIT": Set("true", "false leaves a transaction open behind each query"),
    "TIMEZONE": Set("UTC", f"{_VALUES}: current_date, casts to and from TIMESTAMP_LTZ"),
    "TIMESTAMP_TYPE_MAPPING": Set("TIMESTAMP_NTZ", f"{_VALUES}: the type that TIMESTAMP means"),
    "TIMESTAMP_DAY_IS_ALWAYS_24H": Set("false", f"{_VALUES}: a day added to a timestamp"),
    "WEEK_START": Set("0", f"{_VALUES}: dayofweek, date_trunc('week', …)"),
    "WEEK_OF_YEAR_POLICY": Set("0", f"{_VALUES}: week, yearofweek"),
    "TWO_DIGIT_CENTURY_START": Set("1970", f"{_VALUES}: years of two digits that are read"),
    "DATE_INPUT_FORMAT": Set("AUTO", f"{_VALUES}: text that is read as a date"),
    "TIME_INPUT_FORMAT": Set("AUTO", f"{_VALUES}: text that is read as a time"),
    "TIMESTAMP_INPUT_FORMAT": Set("AUTO", f"{_VALUES}: text that is read as a timestamp"),
    "BINARY_INPUT_FORMAT": Set("HEX", f"{_VALUES}: text that is read as binary"),
    "BINARY_OUTPUT_FORMAT": Set("HEX", _TEXT),
    "DATE_OUTPUT_FORMAT": Set("YYYY-MM-DD", _TEXT),
    "TIME_OUTPUT_FORMAT": Set("HH24:MI:SS.FF9", f"{_TEXT}: the default drops the fraction"),
    "TIMESTAMP_OUTPUT_FORMAT": Set(
        "YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM", f"{_TEXT}: the default cuts it to milliseconds"
    ),
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": Set(
        "YYYY-MM-DD HH24:MI:SS.FF9", f"{_TEXT}: the default cuts it to milliseconds"
    ),
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": Set(
        "YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM", f"{_TEXT}: the default cuts it to milliseconds"
    ),
    "TIMESTAMP_TZ_OUTPUT_FORMAT": Set(
        "YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM", f"{_TEXT}: the default cuts it to milliseconds"
    ),
    "GEOGRAPHY_OUTPUT_FORMAT": Set("GeoJSON", f"{_TEXT}, or makes it binary"),
    "GEOMETRY_OUTPUT_FORMAT": Set(
        "EWKT", f"{_TEXT}, or makes it binary; of the text forms this one alone keeps the SRID"
    ),
    "JSON_INDENT": Set("0", f"{_TEXT}: the default puts JSON on several lines"),
    "STRICT_JSON_OUTPUT": Set("true", f"{_TEXT}: the default may be no JSON (undefined, NaN)"),
    "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": Set(
        "false", "true gives a column of an unloaded file the type that its values need"
    ),
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": Set("ARROW", "JSON is slow, and larger by far"),
    # Snowflake then ends the query of a killed run after five minutes.
    "ABORT_DETACHED_QUERY": Set("true", "false lets a query outlive its killed run (G8)"),
    "CLIENT_RESULT_CHUNK_SIZE": Set("48", "MB; the default of 160 is too much for a small task"),
}

LIMITS: Mapping[str, bool] = {
    "STATEMENT_TIMEOUT_IN_SECONDS": True,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": True,
    "LOCK_TIMEOUT": False,
}
"""Limits in seconds, and whether 0 means no limit (for a lock, 0 means no wait at all)."""

_OTHER_CLIENTS = "read by other clients than this connector"
_DDL = "about statements that write or define: the guard refuses them (G7)"
_LOGS = "about logs, traces and profiles of procedures and functions"
_CONNECTION = "about how long a connection lives without queries, or what it keeps in memory"

LEFT: Mapping[str, str] = {
    "USE_CACHED_RESULT": "a cached result has the same rows, since it is taken only while the "
    "tables are unchanged: whether to pay for another is the account's choice",
    "SIMULATED_DATA_SHARING_CONSUMER": "no value stands for none: see `REFUSED`",
    "QUERY_TAG": "set for each run: see `history`",
    "CLIENT_TELEMETRY_ENABLED": "set to false where the connection is made",
    "CLIENT_TIMESTAMP_TYPE_MAPPING": "of bound timestamps: ours are text with a cast of their own",
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": "of statements with many rows of values: none here",
    "CLIENT_RESULT_COLUMN_CASE_INSENSITIVE": _OTHER_CLIENTS,
    "CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX": _OTHER_CLIENTS,
    "CLIENT_METADATA_USE_SESSION_DATABASE": _OTHER_CLIENTS,
    "CLIENT_PREFETCH_THREADS": "chunks are fetched by `chunks`, as many as it says",
    "CLIENT_MEMORY_LIMIT": "chunks are fetched by `chunks`, as many as it says",
    "CLIENT_SESSION_KEEP_ALIVE": _CONNECTION,
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": _CONNECTION,
    "JDBC_TREAT_DECIMAL_AS_INT": _OTHER_CLIENTS,
    "JDBC_TREAT_TIMESTAMP_NTZ_AS_UTC": _OTHER_CLIENTS,
    "JDBC_USE_SESSION_TIMEZONE": _OTHER_CLIENTS,
    "JS_TREAT_INTEGER_AS_BIGINT": _OTHER_CLIENTS,
    "ODBC_TREAT_DECIMAL_AS_INT": _OTHER_CLIENTS,
    "CSV_TIMESTAMP_FORMAT": _OTHER_CLIENTS,
    "DEFAULT_DDL_COLLATION": f"{_DDL}; a column keeps the collation that it was made with",
    "ERROR_ON_NONDETERMINISTIC_MERGE": _DDL,
    "ERROR_ON_NONDETERMINISTIC_UPDATE": _DDL,
    "HYBRID_TABLE_LOCK_TIMEOUT": _DDL,
    "NOORDER_SEQUENCE_AS_DEFAULT": _DDL,
    "TRANSACTION_ABORT_ON_ERROR": _DDL,
    "TRANSACTION_DEFAULT_ISOLATION_LEVEL": "it has one value",
    "UNSUPPORTED_DDL_ACTION": _DDL,
    "S3_STAGE_VPCE_DNS_NAME": "about stages: no extract reads or writes one by itself",
    "ACTIVE_PYTHON_PROFILER": _LOGS,
    "PYTHON_PROFILER_MODULES": _LOGS,
    "PYTHON_PROFILER_TARGET_STAGE": _LOGS,
    "LOG_LEVEL": _LOGS,
    "METRIC_LEVEL": _LOGS,
    "TRACE_LEVEL": _LOGS,
}

REFUSED: Mapping[str, str] = {
    "SIMULATED_DATA_SHARING_CONSUMER": "it shows secure views as another account sees them",
}
"""Parameters that must not be set: they change rows, and no value turns them off."""


def session_parameters() -> dict[str, str]:
    """The parameters to send when signing in."""
    return {name: each.value for name, each in OURS.items()}


def take_over(connection: SnowflakeConnection, limit: timedelta) -> None:
    """Compare the session's parameters with `OURS`, and lower its limits to `limit`.

    Raises WarehouseError, which names each parameter with another value.
    """
    from snowflake.connector import Error

    cursor = connection.cursor()
    try:
        cursor.execute("show parameters in session")
        shown = {str(row[0]).upper(): str(row[1] or "") for row in cursor.fetchall()}
        _require_ours(shown)
        lowered = _lowered(shown, max(1, int(limit.total_seconds())))
        if lowered:
            settings = " ".join(f"{name} = {seconds}" for name, seconds in lowered.items())
            cursor.execute(f"alter session set {settings}")
    except Error as error:
        raise explained(error, "setting the session's parameters failed in snowflake") from None


def _require_ours(shown: Mapping[str, str]) -> None:
    """Raise WarehouseError for wrong values. A parameter that is not shown has no effect."""
    faults = [
        f"{name} is {shown[name]!r}, not {each.value!r} ({each.why})"
        for name, each in OURS.items()
        if name in shown and _plain(shown[name]) != _plain(each.value)
    ]
    faults += [f"{name} is {shown[name]!r} ({why})" for name, why in REFUSED.items()
               if shown.get(name)]  # fmt: skip
    if faults:
        raise WarehouseError(
            f"the session has parameters that would give other results: {'; '.join(faults)}: "
            f"unset them for the user or the account",
            cause=Cause.SETTINGS,
        )


def _plain(value: str) -> str:
    return value.replace(" ", "").casefold()


def _lowered(shown: Mapping[str, str], seconds: int) -> dict[str, int]:
    """The limits to lower to `seconds`, because they are higher or there is none."""
    lowered = {}
    for name, zero_is_none in LIMITS.items():
        theirs = int(shown.get(name) or 0)
        if theirs > seconds or (theirs == 0 and zero_is_none):
            lowered[name] = seconds
    return lowered
