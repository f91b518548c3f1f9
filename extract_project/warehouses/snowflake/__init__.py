"""Snowflake, through its connector: queries that can be cancelled, results as they were sent.

`settings` signs in, and `parameters` makes the session ours. `session` runs a query and waits for
it, in a way that a cancel ends (`waiting`); `changes` asks which tables have changed. `result` and
`chunks` fetch rows, `agreement` holds each chunk against the description, `types` turns it into
what files keep. `errors` says what Snowflake's codes mean.
"""

from __future__ import annotations

from extract_project.warehouses.snowflake.history import query_url
from extract_project.warehouses.snowflake.session import SnowflakeSession
from extract_project.warehouses.snowflake.settings import SnowflakeWarehouse

__all__ = ["SnowflakeSession", "SnowflakeWarehouse", "query_url"]
