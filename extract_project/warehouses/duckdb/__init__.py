"""DuckDB, embedded: a database file that others maintain, or one in memory.

The session can read its own tables and nothing else: the database is attached read-only, file and
network access are off, no extension loads, Python variables are invisible, and the configuration
is locked before the author's SQL is seen.

`settings` is what the environment says and opens the database, `session` runs a statement,
`result` reads its rows, `refused` finds the values that files cannot hold, `errors` finds the place
of an error in the author's text.
"""

from __future__ import annotations

from extract_project.warehouses.duckdb.session import DuckDBSession
from extract_project.warehouses.duckdb.settings import DuckDBWarehouse

__all__ = ["DuckDBSession", "DuckDBWarehouse"]
