"""SQL that makes a published extract a table of a query engine: one module per engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from extract_project.ddl.athena import athena
from extract_project.ddl.duckdb import duckdb
from extract_project.ddl.snowflake import snowflake
from extract_project.ddl.spark import spark
from extract_project.ddl.table import Table

ENGINES: Mapping[str, Callable[[Table], str]] = {
    "athena": athena,
    "duckdb": duckdb,
    "snowflake": snowflake,
    "spark": spark,
}
"""Each returns one or more statements, or raises NoSuchTable if the engine cannot read the
files.
"""
