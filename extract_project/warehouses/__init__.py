"""The warehouses that an extract can come from.

`WarehouseSettings` is the registry: a new warehouse is one new module with a pydantic model that
satisfies `protocol.Warehouse`, and one more member of this union.
"""

from __future__ import annotations

from extract_project.warehouses.duckdb import DuckDBWarehouse

WarehouseSettings = DuckDBWarehouse
