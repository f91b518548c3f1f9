"""Bind the values of `:name`s, since COPY does not accept bind parameters.

Each value is bound to a setting of the transaction, `set_config('extract.p0', $1, true)`, and read
from it with its type in the statement, so a value is never part of the text. The settings are
numbered, because their names are not case-sensitive, while those of parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from extract_project.errors import WarehouseError
from extract_project.values import Value
from extract_project.warehouses.libpq.connection import Connection
from extract_project.warehouses.protocol import Query, Rendered

_LARGEST_BIGINT = 2**63 - 1
# Qualified names, or keywords of the grammar, since a search_path may put other types first.
_TYPES = (
    (bool, "boolean"),
    (Decimal, "numeric"),
    (datetime, "timestamp"),
    (date, "pg_catalog.date"),
)


@dataclass(frozen=True)
class Bound:
    """A statement in Postgres' form, and the settings from which its values are read."""

    statement: Rendered
    settings: Mapping[str, str]


def bound(query: Query) -> Bound:
    """The bound form of a query; raises WarehouseError for a text that Postgres cannot store."""
    names = {name: f"extract.p{index}" for index, name in enumerate(query.bound)}
    statement = query.statement(lambda name: _reference(names[name], query.values[name]))
    texts = {names[name]: _text(name, value) for name, value in query.bound.items()}
    return Bound(statement, texts)


def bind(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set the values for the current transaction."""
    if settings:
        calls = [
            f"pg_catalog.set_config('{name}', ${number}, true)"
            for number, name in enumerate(settings, 1)
        ]
        connection.query(f"select {', '.join(calls)}", list(settings.values()))


def _reference(setting: str, value: Value) -> str:
    """The expression for a value: its setting, cast to the value's type."""
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
        raise WarehouseError(f":{name} has a NUL character, which Postgres cannot store: remove it")
    return text
