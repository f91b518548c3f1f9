"""Estimate the credits of a query, from its duration and its virtual warehouse's size.

The request for a query's status runs nothing and needs no privilege; the reply has the query's
duration and its warehouse's size. The connector returns only the status. The rest is in the private
reply (`_get_query_status_with_response`), which is used only in this module.

Credits are an estimate: a warehouse is billed for as long as it runs, whatever runs on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from extract_project.metrics import Usage
from extract_project.prefetch import in_thread

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_ASK_SECONDS = 5.0
_STANDARD = "STANDARD"
# https://docs.snowflake.com/en/user-guide/warehouses-overview#warehouse-size
_SIZES = ("xsmall", "small", "medium", "large", "xlarge", "2xlarge", "3xlarge", "4xlarge",
          "5xlarge", "6xlarge")  # fmt: skip
_CREDITS_PER_HOUR = {size: 2**number for number, size in enumerate(_SIZES)}


def usage_of(connection: SnowflakeConnection, query_id: str) -> Usage | None:
    """The usage of a finished query; None if Snowflake does not say, or not in time."""
    untyped: Any = connection
    try:
        _, reply = in_thread(
            "usage", lambda: untyped._get_query_status_with_response(query_id), _ASK_SECONDS
        )
        return _usage(reply)
    except Exception:  # of any kind: the result matters more than its cost
        return None


def _usage(reply: Any) -> Usage | None:
    size, seconds = str(reply.warehouse_external_size), reply.total_duration / 1000
    if not size or seconds <= 0:
        return None  # nothing ran in a warehouse: metadata, or the cache of results
    rate = _CREDITS_PER_HOUR.get(re.sub("[^a-z0-9]", "", size.lower()))
    kind = str(reply.warehouse_server_type)
    ran = f"{seconds:g} s from start to end, with compiling and queueing, on {size} ({kind})"
    if rate is None or kind != _STANDARD:
        return Usage(seconds=seconds, basis=f"{ran}, whose rate is not known here")
    return Usage(
        seconds=seconds,
        credits=round(seconds / 3600 * rate, 6),
        basis=f"{ran} at {rate} credits an hour, as if the query had it for itself",
    )
