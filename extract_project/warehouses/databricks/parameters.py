"""The values of `:name`s as the API takes them, and the parameters of a session.

Databricks has `:name` itself, so the text is sent as the author wrote it. The types are those of
the value; the server casts the text to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from extract_project.values import Value
from extract_project.warehouses.protocol import Label, Query

_BIGINT = 2**63
_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a statement by itself."""
_LONGEST = 172_800
"""The seconds that Databricks allows."""
_TAG_CHARACTERS = 128


DECIDING: Mapping[str, str] = {
    "ansi_mode": "true",  # false turns a value that does not fit into NULL
    "timezone": "UTC",  # current_date, casts to and from TIMESTAMP
    "legacy_time_parser_policy": "EXCEPTION",  # text that is read as a time
}
"""What decides rows and values in a session, whatever the workspace has set.

All parameters of https://docs.databricks.com/en/sql/language-manual/sql-ref-parameters that change
rows or values; USE_CACHED_RESULT changes neither. They are in lower case, as the session's own
client sends them.
"""


def limit(timeout: timedelta) -> dict[str, str]:
    """The parameter by which the server ends a statement.

    That of a session counts, also where the workspace's is lower, which it cannot know.
    """
    seconds = min(max(1, int((timeout + _LATE).total_seconds())), _LONGEST)
    return {"statement_timeout": str(seconds)}


def query_tags(label: Label) -> list[dict[str, str]]:
    """What the query history shows with a statement."""
    tags = {
        "extract": label.extract,
        "sql_version": label.sql_version,
        "run_id": label.run_id,
        "partition": label.partition,
    }
    return [{"key": k, "value": v[:_TAG_CHARACTERS]} for k, v in tags.items() if v is not None]


def markers(query: Query) -> Callable[[str], str]:
    """`:name` as it is; Databricks does not tell names apart by case."""
    names = query.distinct_names
    return lambda name: f":{names[name]}"


def bound(query: Query) -> list[dict[str, Any]]:
    """The values by the name of their marker."""
    marker = markers(query)
    return [_bound(marker(name)[1:], value) for name, value in query.bound.items()]


def _bound(name: str, value: Value) -> dict[str, Any]:
    if value is None:
        return {"name": name, "value": None}
    kind, text = _typed(value)
    return {"name": name, "type": kind, "value": text}


def _typed(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "BOOLEAN", "true" if value else "false"
    if isinstance(value, int):
        return ("BIGINT" if -_BIGINT <= value < _BIGINT else "DECIMAL(38,0)"), str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        return ("TIMESTAMP" if value.tzinfo else "TIMESTAMP_NTZ"), value.isoformat(" ")
    if isinstance(value, date):
        return "DATE", value.isoformat()
    return "STRING", str(value)


def _decimal(value: Decimal) -> tuple[str, str]:
    text = format(value, "f")
    whole, _, fraction = text.lstrip("-").partition(".")
    return f"DECIMAL({max(1, len(whole.lstrip('0')) + len(fraction))},{len(fraction)})", text
