"""The conformance suite, run against each warehouse: a new one is one more rig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from extract_project.warehouses.conformance.rig import Rig
from extract_project.warehouses.conformance.suite import *  # noqa: F403 - the tests
from extract_project_tests.support.bigquery_server import bigquery_server
from extract_project_tests.support.databricks_server import databricks_server
from extract_project_tests.support.redshift_server import redshift_server
from extract_project_tests.support.rigs import (
    bigquery_rig,
    bigquery_service,
    databricks_rig,
    databricks_service,
    duckdb_rig,
    mysql_rig,
    postgres_rig,
    redshift_rig,
    snowflake_rig,
    snowflake_service,
)
from extract_project_tests.support.snowflake_server import snowflake_server

WAREHOUSES = ("duckdb", "postgres", "redshift", "snowflake", "databricks", "bigquery", "mysql")


@pytest.fixture(params=WAREHOUSES)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "duckdb":
        yield duckdb_rig(tmp_path)
    elif request.param == "postgres":
        yield postgres_rig(request.getfixturevalue("postgres"))
    elif request.param == "redshift":
        with redshift_server(request.getfixturevalue("postgres")) as cluster:
            yield redshift_rig(cluster)
    elif request.param == "mysql":
        yield mysql_rig(request.getfixturevalue("mariadb"))
    elif request.param == "databricks":
        with databricks_server(databricks_service()) as workspace:
            yield databricks_rig(workspace)
    elif request.param == "bigquery":
        with bigquery_server(bigquery_service()) as project:
            yield bigquery_rig(project)
    else:
        with snowflake_server(snowflake_service()) as server:
            yield snowflake_rig(server)
