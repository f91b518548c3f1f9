"""A Snowflake of the tests' own, and a session in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from extract_project.warehouses.snowflake import SnowflakeSession
from extract_project_tests.snowflake_server import SnowflakeServer, snowflake_server
from extract_project_tests.warehouses.rigs import LABEL, snowflake_service, snowflake_warehouse


@pytest.fixture
def server() -> Iterator[SnowflakeServer]:
    with snowflake_server(snowflake_service(chunk_rows=1000)) as server:
        yield server


@pytest.fixture
def session(server: SnowflakeServer) -> Iterator[SnowflakeSession]:
    with snowflake_warehouse(server).connect(LABEL, timedelta(hours=1)) as session:
        yield session
