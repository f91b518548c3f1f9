"""Session parameters: Snowflake's defaults, their overrides, and the effects of some.

The list and the defaults are those of https://docs.snowflake.com/en/sql-reference/parameters. The
session's value wins over the user's, the user's over the account's. Applied here: those that cut or
rewrite a result (`applied`) and those that change how its SQL is read (`engine`); the others are
only kept and shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from extract_project_tests.support.snowflake_server.wire import Chunk, Column, chunk

DEFAULTS: Mapping[str, str] = {
    "ABORT_DETACHED_QUERY": "false",
    "ACTIVE_PYTHON_PROFILER": "",
    "AUTOCOMMIT": "true",
    "BINARY_INPUT_FORMAT": "HEX",
    "BINARY_OUTPUT_FORMAT": "HEX",
    "CLIENT_MEMORY_LIMIT": "1536",
    "CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX": "false",
    "CLIENT_METADATA_USE_SESSION_DATABASE": "false",
    "CLIENT_PREFETCH_THREADS": "4",
    "CLIENT_RESULT_CHUNK_SIZE": "160",
    "CLIENT_RESULT_COLUMN_CASE_INSENSITIVE": "false",
    "CLIENT_SESSION_KEEP_ALIVE": "false",
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": "3600",
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": "65280",
    "CLIENT_TELEMETRY_ENABLED": "true",
    "CLIENT_TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_LTZ",
    "CSV_TIMESTAMP_FORMAT": "",
    "DATE_INPUT_FORMAT": "AUTO",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "DEFAULT_DDL_COLLATION": "",
    "DEFAULT_NULL_ORDERING": "LAST",
    "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": "true",
    "ERROR_ON_NONDETERMINISTIC_MERGE": "true",
    "ERROR_ON_NONDETERMINISTIC_UPDATE": "false",
    "GEOGRAPHY_OUTPUT_FORMAT": "GeoJSON",
    "GEOMETRY_OUTPUT_FORMAT": "GeoJSON",
    "HYBRID_TABLE_LOCK_TIMEOUT": "3600",
    "JDBC_TREAT_DECIMAL_AS_INT": "true",
    "JDBC_TREAT_TIMESTAMP_NTZ_AS_UTC": "false",
    "JDBC_USE_SESSION_TIMEZONE": "true",
    "JSON_INDENT": "2",
    "JS_TREAT_INTEGER_AS_BIGINT": "false",
    "LOCK_TIMEOUT": "43200",
    "LOG_LEVEL": "OFF",
    "METRIC_LEVEL": "NONE",
    "MULTI_STATEMENT_COUNT": "1",
    "NOORDER_SEQUENCE_AS_DEFAULT": "true",
    "ODBC_TREAT_DECIMAL_AS_INT": "false",
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    "PYTHON_PROFILER_MODULES": "",
    "PYTHON_PROFILER_TARGET_STAGE": "",
    "QUERY_TAG": "",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
    "ROWS_PER_RESULTSET": "0",
    "S3_STAGE_VPCE_DNS_NAME": "",
    "SEARCH_PATH": "$current, $public",
    "SIMULATED_DATA_SHARING_CONSUMER": "",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "0",
    "STATEMENT_TIMEOUT_IN_SECONDS": "172800",
    "STRICT_JSON_OUTPUT": "false",
    "TIMESTAMP_DAY_IS_ALWAYS_24H": "false",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3",
    "TIMESTAMP_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "",
    "TIMEZONE": "America/Los_Angeles",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIME_OUTPUT_FORMAT": "HH24:MI:SS",
    "TRACE_LEVEL": "OFF",
    "TRANSACTION_ABORT_ON_ERROR": "false",
    "TRANSACTION_DEFAULT_ISOLATION_LEVEL": "READ COMMITTED",
    "TWO_DIGIT_CENTURY_START": "1970",
    "UNSUPPORTED_DDL_ACTION": "ignore",
    "USE_CACHED_RESULT": "true",
    "WEEK_OF_YEAR_POLICY": "0",
    "WEEK_START": "0",
}

_SEMISTRUCTURED = ("VARIANT", "OBJECT", "ARRAY")
_SHOWN = ("key", "value", "default", "level", "description", "type")
_ASSIGNMENT = re.compile(r"(\w+)\s*=\s*('(?:[^']|'')*'|[\w.$]+)")


@dataclass
class Parameters:
    """The parameters of one session."""

    account: Mapping[str, str]
    user: Mapping[str, str]
    session: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def values(self) -> dict[str, str]:
        return {**DEFAULTS, **self.account, **self.user, **self.session}

    def rows(self) -> tuple[list[Column], list[list[str | None]]]:
        """The rows of `show parameters in session`."""
        levels = [("SESSION", self.session), ("USER", self.user), ("ACCOUNT", self.account)]
        rows: list[list[str | None]] = [
            [
                name,
                value,
                DEFAULTS.get(name, ""),
                next((level for level, given in levels if name in given), ""),
                "",
                "STRING",
            ]
            for name, value in sorted(self.values.items())
        ]
        return [Column(name, "TEXT", length=1000) for name in _SHOWN], rows

    def alter(self, sql: str) -> None:
        """`alter session set A = 1 B = 'x'`."""
        for name, value in _ASSIGNMENT.findall(sql):
            self.session[name.upper()] = value.strip("'").replace("''", "'")


def applied(
    columns: Sequence[Column], chunks: Iterable[Chunk], values: Mapping[str, str]
) -> list[Chunk]:
    """Apply these parameters to a result: limit its rows, and rewrite JSON and geography."""
    limit = int(values["ROWS_PER_RESULTSET"]) or None
    rewritten = [column.type in _SEMISTRUCTURED for column in columns]
    made = []
    for each in chunks:
        if limit is not None and limit <= 0:
            break
        if limit is None and not any(rewritten):
            made.append(each)
            continue
        batch = pa.ipc.open_stream(each.stream).read_all().combine_chunks().to_batches()[:1]
        rows = batch[0].slice(0, limit) if batch else None
        if rows is None:
            made.append(each)
            continue
        limit = limit if limit is None else limit - rows.num_rows
        arrays = [
            pa.array([_text(column, value, values) for value in array.to_pylist()], pa.string())
            if rewrites and pa.types.is_string(array.type)
            else array
            for column, array, rewrites in zip(columns, rows.columns, rewritten, strict=True)
        ]
        made.append(
            chunk(columns, pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns]))
        )
    return made


def _text(column: Column, value: str | None, values: Mapping[str, str]) -> str | None:
    if value is None:
        return None
    if column.extended in ("GEOGRAPHY", "GEOMETRY"):
        return _shape(value, values[f"{column.extended}_OUTPUT_FORMAT"])
    strict = values["STRICT_JSON_OUTPUT"] == "true"
    known = value.replace("undefined", "null") if strict else value
    try:
        # A number stays as it is written: between two NULs it passes as text.
        parsed = json.loads(known, parse_float="\0{}\0".format)
    except ValueError:
        return known
    indent = int(values["JSON_INDENT"])
    text = json.dumps(
        parsed,
        indent=indent or None,
        separators=None if indent else (",", ":"),
        ensure_ascii=False,
    )
    return re.sub(r'"\\u0000(.*?)\\u0000"', r"\1", text)


def _shape(geojson: str, form: str) -> str:
    """A point in one of the output formats; other values unchanged."""
    point = json.loads(geojson)
    if form.upper() == "GEOJSON" or point.get("type") != "Point" or "coordinates" not in point:
        return geojson
    wkt = f"POINT({' '.join(map(str, point['coordinates']))})"
    return f"SRID=4326;{wkt}" if form.upper() == "EWKT" else wkt
