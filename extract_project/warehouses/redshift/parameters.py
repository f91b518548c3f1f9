"""Values as bind parameters: beside the text, each with its type, as text.

The server need not guess a type, so `:since is null` works. Object identifiers of types are those
of https://github.com/aws/amazon-redshift-python-driver (`utils/oids.py`). Redshift's `numeric`
without a precision is `numeric(18,0)`, so a decimal is sent as text and cast to its own digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from extract_project.errors import WarehouseError
from extract_project.values import Value
from extract_project.warehouses.protocol import Query, Rendered

_BOOLEAN, _BIGINT, _DATE, _VARCHAR, _TIMESTAMP, _TIMESTAMPTZ = 16, 20, 1082, 1043, 1114, 1184
_BIGINTS = range(-(2**63), 2**63)
_MOST_DIGITS = 38


@dataclass(frozen=True)
class Bound:
    """A statement in Redshift's form, and the values for `$1`, `$2`, … with their types."""

    statement: Rendered
    values: Sequence[bytes]
    types: Sequence[int]


def bound(query: Query) -> Bound:
    """The bound form of a query; raises WarehouseError for a value that Redshift does not have."""
    given = {name: value for name, value in query.bound.items() if value is not None}
    numbers = {name: f"${number}" for number, name in enumerate(given, 1)}

    def native(name: str) -> str:
        if name not in given:
            return "null"
        value, marker = given[name], numbers[name]
        return f"cast({marker} as {_decimal(name, value)})" if _is_decimal(value) else marker

    texts = [_text(name, value).encode() for name, value in given.items()]
    return Bound(query.statement(native), texts, [_type(value) for value in given.values()])


def _is_decimal(value: Value) -> bool:
    """Whether it is a number that `bigint` does not hold."""
    return isinstance(value, Decimal) or (
        isinstance(value, int) and not isinstance(value, bool) and value not in _BIGINTS
    )


def _decimal(name: str, value: Value) -> str:
    """The type of a number with all of its digits."""
    whole, _, fraction = f"{Decimal(str(value)):f}".lstrip("-").partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > _MOST_DIGITS or not whole.isdigit():
        raise WarehouseError(
            f":{name} is {value}, and a number of Redshift has {_MOST_DIGITS} digits at most"
        )
    return f"decimal({max(digits, 1)}, {len(fraction)})"


def _type(value: Value) -> int:
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, datetime):
        return _TIMESTAMPTZ if value.tzinfo else _TIMESTAMP
    if isinstance(value, date):
        return _DATE
    return _BIGINT if isinstance(value, int) and not _is_decimal(value) else _VARCHAR


def _text(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    if "\0" in text:
        raise WarehouseError(f":{name} has a NUL character, which Redshift cannot store: remove it")
    return text
