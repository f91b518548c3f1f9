"""A Snowflake of the tests' own, and a session in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from extract_project.warehouses.snowflake import SnowflakeSession
from extract_project_tests.support.rigs import LABEL, snowflake_service, snowflake_warehouse
from extract_project_tests.support.snowflake_server import SnowflakeServer, snowflake_server


@pytest.fixture
def server() -> Iterator[SnowflakeServer]:
    with snowflake_server(snowflake_service(chunk_rows=1000)) as server:
        yield server


@pytest.fixture
def session(server: SnowflakeServer) -> Iterator[SnowflakeSession]:
    with snowflake_warehouse(server).connect(LABEL, timedelta(hours=1)) as session:
        yield session
