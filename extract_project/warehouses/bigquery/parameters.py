"""The values of `:name`s as the API takes them, and what a job is labelled with.

BigQuery writes `@name`, and compares a parameter only with values of its own type: never a DATETIME
with a TIMESTAMP, nor a NULL of type STRING with a number. Only the statement tells which type a
value needs. So a value that could have several types has alternatives, in the order in which they
are tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import product
from typing import Any

from extract_project.sql.query import Query
from extract_project.values import Value
from extract_project.warehouses.protocol import Label

_INT64 = 2**63
_NUMERIC_WHOLE, _NUMERIC_SCALE = 29, 9
_LABEL_CHARACTERS = 63
_NOT_IN_LABELS = re.compile(r"[^\w-]")
Parameters = list[dict[str, Any]]
"""`queryParameters` of a job."""

_OF_NULL = ("STRING", "TIMESTAMP", "DATETIME", "DATE", "INT64", "BOOL", "TIME", "BYTES")
"""INT64 is compared with any number."""
_OF_INSTANT = ("TIMESTAMP", "DATETIME", "DATE")
_OF_MOMENT = ("DATETIME", "TIMESTAMP", "DATE")
_OF_DATE = ("DATE", "TIMESTAMP")
"""DATE is compared with DATETIME."""


def markers(query: Query) -> Callable[[str], str]:
    """`@name`; BigQuery does not tell names apart by case."""
    names = query.distinct_names
    return lambda name: f"@{names[name]}"


def alternatives(query: Query) -> Iterator[Parameters]:
    """The values by name, with types; first those that each value has by itself.

    Values of one kind, as all those that are NULL, have the same type.
    """
    names = query.distinct_names
    kinds = dict.fromkeys(_types_of(value) for value in query.bound.values())
    for chosen in product(*kinds):
        types = dict(zip(kinds, chosen, strict=True))
        bound = {name: (types[_types_of(value)], value) for name, value in query.bound.items()}
        if all(_fits(value, kind) for kind, value in bound.values()):
            yield [_parameter(names[name], kind, value) for name, (kind, value) in bound.items()]


def labels(label: Label) -> dict[str, str]:
    """What BigQuery shows with a job: letters in lower case, digits, `_` and `-`."""
    given = {
        "extract": label.extract,
        "sql_version": label.sql_version,
        "run_id": label.run_id,
        "partition": label.partition,
    }
    return {name: as_label(value) for name, value in given.items() if value is not None}


def as_label(text: str) -> str:
    return _NOT_IN_LABELS.sub("_", text.lower())[:_LABEL_CHARACTERS]


def _types_of(value: Value) -> tuple[str, ...]:
    if value is None:
        return _OF_NULL
    if isinstance(value, bool):
        return ("BOOL",)
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return ("INT64",)
        return (_number_type(Decimal(value)),)
    if isinstance(value, Decimal):
        return (_number_type(value),)
    if isinstance(value, datetime):
        return _OF_INSTANT if value.tzinfo else _OF_MOMENT
    return _OF_DATE if isinstance(value, date) else ("STRING",)


def _number_type(value: Decimal) -> str:
    whole, _, fraction = format(value, "f").lstrip("-").partition(".")
    fits = len(whole.lstrip("0")) <= _NUMERIC_WHOLE and len(fraction) <= _NUMERIC_SCALE
    return "NUMERIC" if fits else "BIGNUMERIC"


def _fits(value: Value, kind: str) -> bool:
    """Whether a value is not cut by a type: a DATE has no time of day."""
    if kind != "DATE" or not isinstance(value, datetime):
        return True
    return _in_utc(value).time() == time()


def _parameter(name: str, kind: str, value: Value) -> dict[str, Any]:
    text = None if value is None else _text(value, kind)
    return {"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": text}}


def _text(value: Any, kind: str) -> str:
    """A moment without a zone is one in UTC, as in every warehouse."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if not isinstance(value, date):
        return str(value)
    if not isinstance(value, datetime):
        return f"{value.isoformat()} 00:00:00+00:00" if kind == "TIMESTAMP" else value.isoformat()
    moment = _in_utc(value)
    if kind == "DATE":
        return moment.date().isoformat()
    return moment.isoformat(" ") + ("+00:00" if kind == "TIMESTAMP" else "")


def _in_utc(value: datetime) -> datetime:
    """The same without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
