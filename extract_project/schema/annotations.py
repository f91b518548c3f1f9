"""Annotations of columns: their descriptions, and which of them are never NULL.

A description is metadata of the column's field, under the key `description`. Parquet and Arrow
files keep it, and so does the receipt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

DESCRIPTION = b"description"
"""The key of the field's metadata."""


def description_of(field: pa.Field) -> str:
    """The description of a column; empty if it has none."""
    return ((field.metadata or {}).get(DESCRIPTION) or b"").decode()


def descriptions_of(schema: pa.Schema) -> dict[str, str]:
    """The description of each column that has one."""
    return {field.name: said for field in schema if (said := description_of(field))}


def described(schema: pa.Schema, descriptions: Mapping[str, str]) -> pa.Schema:
    """The schema with these descriptions, by column name, instead of its own.

    The case of names does not matter. Names that the schema lacks are ignored.
    """
    import pyarrow as pa

    said = {name.casefold(): text for name, text in descriptions.items()}
    texts = ((field, said.get(field.name.casefold())) for field in schema)
    return pa.schema(
        [field.with_metadata({DESCRIPTION: text} if text else None) for field, text in texts]
    )


def required(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """The schema with exactly these columns marked as never NULL."""
    import pyarrow as pa

    return pa.schema([field.with_nullable(field.name not in names) for field in schema])


def required_names(schema: pa.Schema) -> set[str]:
    """The columns that are never NULL."""
    return {field.name for field in schema if not field.nullable}
