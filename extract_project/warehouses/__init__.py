"""The warehouses from which extracts can come.

`AnyWarehouse` is the registry: a new warehouse is one new module with a pydantic model that
satisfies `protocol.Warehouse`, and one more member of `AnyWarehouse`.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import BaseModel, Field

from extract_project.sql.dialect import Dialect
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.snowflake import SnowflakeWarehouse

AnyWarehouse = DuckDBWarehouse | PostgresWarehouse | SnowflakeWarehouse
WarehouseSettings = Annotated[AnyWarehouse, Field(discriminator="type")]


def warehouse_model(kind: str) -> type[BaseModel]:
    """The settings of a warehouse of this type."""
    found: type[BaseModel] = next(each for each in get_args(AnyWarehouse) if kind in _types(each))
    return found


def warehouse_fields(kind: str) -> list[str]:
    """Their names, as in the names of their variables."""
    fields = warehouse_model(kind).model_fields.items()
    return [(field.alias or name).upper() for name, field in fields]


def dialect_of(kind: str) -> Dialect:
    """The SQL dialect of warehouses of this type."""
    found: Dialect = next(each.dialect for each in get_args(AnyWarehouse) if kind in _types(each))
    return found


def _types(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["type"].annotation)


WAREHOUSE_TYPES = tuple(kind for each in get_args(AnyWarehouse) for kind in _types(each))
"""The possible types of a warehouse."""
