"""A server that speaks the API of Databricks SQL warehouses over HTTP.

Taken from the reference of the Statement Execution API and of SQL warehouses, as it stands in the
source of databricks-sdk-py (`service/sql.py`, its docstrings and models): statements that are
started asynchronously, polled and cancelled; states; the manifest; external links that expire, want
their headers and refuse a bearer token; `truncated`; query tags; parameters with types. From the
source of databricks-sql-connector (`backend/sea/`): sessions and their parameters. From the
tutorial "Statement Execution API" and the page on OAuth M2M: the token endpoint, tokens for an
hour, links to chunks by index. From the pages on error classes and on SQLSTATE: the form of errors
and their positions. From those on DESCRIBE HISTORY and information_schema: their columns. `faults`
drops, truncates, shortens, stalls, keeps silent and refuses at the HTTP level.

What it does not cover, since nothing here could be compared with the real service: Databricks' SQL
(sqlglot and DuckDB stand in, and errors name the first place of the word), Unity Catalog and
grants, whether a session's parameters are all accepted and a stopped warehouse lets a session be
opened, the Arrow form of nested types, VARIANT, INTERVAL and spatial types (tests script text and
Arrow's nested types), compression, the hour after which results are gone by themselves, limits of
requests, serverless, regions, TLS, proxies and Private Link.
"""

from __future__ import annotations

from extract_project_tests.support.databricks_server.engine import (
    Answer,
    Engine,
    StatementError,
    table,
)
from extract_project_tests.support.databricks_server.http import (
    DatabricksServer,
    databricks_server,
)
from extract_project_tests.support.databricks_server.service import Service

__all__ = [
    "Answer",
    "DatabricksServer",
    "Engine",
    "Service",
    "StatementError",
    "databricks_server",
    "table",
]
