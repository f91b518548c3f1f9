"""The warehouses from which extracts can come.

`registry` has the types; a new warehouse is one new module or package with a pydantic model that
satisfies `protocol.Warehouse`, and one more line there. Another package adds one by an entry point.
docs/warehouse.md says how to write one.
"""

from __future__ import annotations

from extract_project.warehouses.configured import WarehouseSettings
from extract_project.warehouses.registry import (
    BUILT_IN,
    dialect_of,
    warehouse_fields,
    warehouse_model,
    warehouse_types,
)

__all__ = [
    "BUILT_IN",
    "WarehouseSettings",
    "dialect_of",
    "warehouse_fields",
    "warehouse_model",
    "warehouse_types",
]
