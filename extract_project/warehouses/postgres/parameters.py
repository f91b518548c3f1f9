"""The values of `:name`s, which a COPY takes no bind parameters for.

Each is bound to a setting of the transaction, `set_config('extract.p0', $1, true)`, and read where
it stands, with its type: the value is never part of a text. The settings are numbered, because
names of settings are the same in upper and lower case, and those of parameters are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from extract_project.errors import WarehouseError
from extract_project.values import Value
from extract_project.warehouses.postgres.connection import Connection
from extract_project.warehouses.protocol import Query, Rendered

_LARGEST_BIGINT = 2**63 - 1
# Qualified, or keywords of the grammar: a search_path may put other types before these.
_TYPES = (
    (bool, "boolean"),
    (Decimal, "numeric"),
    (datetime, "timestamp"),
    (date, "pg_catalog.date"),
)


@dataclass(frozen=True)
class Bound:
    """A statement in Postgres' own form, and the settings that its values are read from."""

    statement: Rendered
    settings: Mapping[str, str]


def bound(query: Query) -> Bound:
    """Raises WarehouseError for a text that Postgres cannot hold."""
    names = {name: f"extract.p{index}" for index, name in enumerate(query.bound)}
    statement = query.statement(lambda name: _reference(names[name], query.values[name]))
    texts = {names[name]: _text(name, value) for name, value in query.bound.items()}
    return Bound(statement, texts)


def bind(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set them for the transaction that has begun."""
    if settings:
        calls = [
            f"pg_catalog.set_config('{name}', ${number}, true)"
            for number, name in enumerate(settings, 1)
        ]
        connection.query(f"select {', '.join(calls)}", list(settings.values()))


def _reference(setting: str, value: Value) -> str:
    """What stands in the statement for a value: its setting, with the value's type."""
    if value is None:
        return "null"
    kind = _type(value)
    text = f"pg_catalog.current_setting('{setting}')"
    return f"{text}::{kind}" if kind else text


def _type(value: Value) -> str | None:
    if isinstance(value, datetime) and value.tzinfo:
        return "pg_catalog.timestamptz"
    if isinstance(value, int) and not isinstance(value, bool):
        return "bigint" if abs(value) <= _LARGEST_BIGINT else "numeric"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), None)


def _text(name: str, value: Value) -> str:
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    if "\0" in text:
        raise WarehouseError(f":{name} has a NUL character: Postgres has no text with one")
    return text
