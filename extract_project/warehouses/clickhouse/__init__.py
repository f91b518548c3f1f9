"""ClickHouse, over its HTTP interface.

`settings` has the connection, `client` the requests, and `fixed` the settings that each carries,
so that nothing of a user's profile decides values. `session` describes a query and runs it, and
`result` reads its rows; `running` is one query from its start to its end, which a cancel kills.
`stream` proves that all rows have arrived. `kinds` reads the names of types, `types` and `nested`
their values. `changes` and `facts` ask about tables. `errors` interprets codes.
"""

from __future__ import annotations

from extract_project.warehouses.clickhouse.session import ClickHouseSession
from extract_project.warehouses.clickhouse.settings import ClickHouseWarehouse

__all__ = ["ClickHouseSession", "ClickHouseWarehouse"]
