"""The warehouses that an extract can come from.

`WarehouseSettings` is the registry: a new warehouse is one new module with a pydantic model that
satisfies `protocol.Warehouse`, and one more member of this union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.snowflake import SnowflakeWarehouse

WarehouseSettings = Annotated[
    DuckDBWarehouse | PostgresWarehouse | SnowflakeWarehouse, Field(discriminator="type")
]
