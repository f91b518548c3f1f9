"""What a warehouse knows of a table besides its types: for a first SQL file over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from extract_project.sql.query import Query

if TYPE_CHECKING:
    from extract_project.warehouses.protocol import Session


@dataclass(frozen=True)
class ColumnFacts:
    """One column of a table."""

    name: str
    is_nullable: bool
    comment: str = ""


@dataclass(frozen=True)
class TableFacts:
    """A table's columns in order, and the columns of each key that is unique, primary key first."""

    columns: tuple[ColumnFacts, ...]
    keys: tuple[tuple[str, ...], ...] = ()


def rows(session: Session, statement: str) -> list[dict[str, Any]]:
    """The rows of a small statement, by column name in lower case."""
    result = session.execute(Query(statement))
    return [
        {name.lower(): value for name, value in row.items()}
        for batch in result.batches()
        for row in batch.to_pylist()
    ]


def grouped(pairs: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The columns of each key, from pairs of a key and a column in order."""
    by_key = groupby(pairs, key=lambda pair: pair[0])
    return tuple(tuple(column for _, column in of_key) for _, of_key in by_key)
