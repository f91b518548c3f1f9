"""What an administrator does to a database before an extract runs, or meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow as pa

from extract_project.values import Value
from extract_project.warehouses.postgres import PostgresSession, PostgresWarehouse
from extract_project.warehouses.protocol import Label, Placeholder, Query

LABEL, HOUR = Label("a/b", "v1", "run-1"), timedelta(hours=1)


def admin(postgres: PostgresWarehouse, **options: Any) -> psycopg.Connection[Any]:
    """A connection of the superuser to the same database."""
    return psycopg.connect(
        host=postgres.host,
        user="postgres",
        dbname=postgres.database,
        autocommit=True,
        client_encoding="UTF8",
        **options,
    )


@contextmanager
def role(postgres: PostgresWarehouse, *settings: str) -> Iterator[PostgresWarehouse]:
    """A user that may only read, with its own settings (`name = value`)."""
    with admin(postgres) as connection:
        connection.execute("create role reader login")
        try:
            connection.execute("grant pg_read_all_data to reader")
            for setting in settings:
                connection.execute(f"alter role reader set {setting}".encode())
            yield postgres.model_copy(update={"user": "reader"})
        finally:
            connection.execute("drop owned by reader")
            connection.execute("drop role reader")


@contextmanager
def database(postgres: PostgresWarehouse, encoding: str) -> Iterator[PostgresWarehouse]:
    """Another database of the server, in another encoding."""
    with admin(postgres) as connection:
        connection.execute(
            f"create database other encoding '{encoding}' template template0 "
            f"lc_collate 'C' lc_ctype 'C'".encode()
        )
        try:
            yield postgres.model_copy(update={"database": "other"})
        finally:
            connection.execute("drop database other with (force)")


def table(session: PostgresSession, text: str, **values: Value) -> pa.Table:
    result = session.execute(query(text, **values))
    return pa.Table.from_batches(list(result.batches()), result.schema)


def read(postgres: PostgresWarehouse, text: str, **values: Value) -> pa.Table:
    with postgres.connect(LABEL, HOUR) as session:
        return table(session, text, **values)


def query(text: str, **values: Value) -> Query:
    """A query whose placeholders are the names of the values, after a colon."""
    found = [
        Placeholder(name, start, start + len(name) + 1)
        for name in values
        for start in _places(text, f":{name}")
    ]
    return Query(text, tuple(sorted(found, key=lambda each: each.start)), values=values)


def _places(text: str, word: str) -> Iterator[int]:
    start = text.find(word)
    while start >= 0:
        if not text[start + len(word) : start + len(word) + 1].isidentifier():
            yield start
        start = text.find(word, start + 1)
