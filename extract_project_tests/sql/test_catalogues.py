"""The lists of functions are those of the engines that are installed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg

from extract_project.sql import duckdb_functions, postgres_functions
from extract_project.sql.duckdb import DuckDB
from extract_project.sql.postgres import Postgres
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.support import catalogues


def test_g7_the_functions_of_postgres_are_those_of_its_catalogue(
    postgres: PostgresWarehouse,
) -> None:
    with psycopg.connect(host=postgres.host, user="postgres") as connection:
        written = catalogues.postgres_module(connection)
        every = connection.execute(
            "select proname, bool_or(provolatile = 'v') from pg_proc "
            "where pronamespace = 'pg_catalog'::regnamespace "
            "and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) group by 1"
        ).fetchall()
    assert written == Path(postgres_functions.__file__).read_text()
    objection = Postgres().objection
    harmless = catalogues.POSTGRES_READS_THOUGH_VOLATILE
    passes = {name for name, acts in every if acts and not objection((name,))}
    assert passes - harmless == set(), "volatile, and on no list"
    assert {name for name, acts in every if not acts and objection((name,))} == {
        *catalogues.POSTGRES_ACTS_THOUGH_STABLE
    }


def test_g7_the_functions_of_duckdb_are_those_of_its_catalogue() -> None:
    with duckdb.connect() as connection:
        written = catalogues.duckdb_module(connection)
        tables = connection.execute(
            "select function_name from duckdb_functions() where function_type = 'table'"
        ).fetchall()
    assert written == Path(duckdb_functions.__file__).read_text()
    passes = {name for (name,) in tables if not DuckDB().objection((name,))}
    assert passes - catalogues.DUCKDB_TABLE_READS == set()
