"""A server that speaks Snowflake's protocol over HTTP, for the real snowflake.connector.

Taken from the connector's source (5.2.0; Rust core `sf_core/src/rest/snowflake/`, Python and C++
beside it) and from watching what it sends: sign-in by password, key pair (the signature is
verified), OAuth and programmatic access token, and workload identity; session parameters over those
of users and accounts, shown and altered, some of them applied; renewal (390112) and loss (390111);
queries run at once or asynchronously, polled while in progress,
described without running, cancelled by id, timed out by their session; bind parameters; errors
with codes, SQLSTATE and positions in the message; results in Arrow chunks, the first inline and
the others gzipped behind addresses that expire and want headers; decimals as scaled integers of
the width that a chunk needs, timestamps as ticks or as seconds and nanoseconds, offsets in
minutes; results of `show` as JSON text. `faults` drops, truncates, shortens, stalls, trickles,
keeps silent and refuses at the HTTP level.

What it does not cover: Snowflake's SQL (sqlglot and DuckDB stand in, and errors that they do not
know the position of name the first place of the word), roles and grants, warehouses and their
queues, chunks of JSON, stages and PUT/GET, multi-statements, heartbeats, TLS, proxies, OCSP, the
verification of a workload's attestation, the 6 hours after which addresses expire by themselves,
and values of DECFLOAT, VECTOR, INTERVAL and structured types, whose columns alone are described.
"""

from __future__ import annotations

from extract_project_tests.support.snowflake_server.engine import (
    Answer,
    Engine,
    SnowflakeError,
    table,
)
from extract_project_tests.support.snowflake_server.http import SnowflakeServer, snowflake_server
from extract_project_tests.support.snowflake_server.service import Service
from extract_project_tests.support.snowflake_server.wire import Column

__all__ = [
    "Answer",
    "Column",
    "Engine",
    "Service",
    "SnowflakeError",
    "SnowflakeServer",
    "snowflake_server",
    "table",
]
