"""Snowflake, through its connector, with queries that can be cancelled and exact results.

`settings` signs in, and `parameters` fixes the session's parameters. `session` runs a query and
waits for it so that a cancel ends the wait (`waiting`); `changes` finds changed tables. `result`
and `chunks` fetch rows, `agreement` compares each chunk with the description, and `types` converts
it to the file's types. `errors` interprets Snowflake's codes.
"""

from __future__ import annotations

from extract_project.warehouses.snowflake.history import query_url
from extract_project.warehouses.snowflake.session import SnowflakeSession
from extract_project.warehouses.snowflake.settings import SnowflakeWarehouse

__all__ = ["SnowflakeSession", "SnowflakeWarehouse", "query_url"]
