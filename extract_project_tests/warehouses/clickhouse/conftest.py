"""One engine for all tests here, with a server before it for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from extract_project.warehouses.clickhouse import ClickHouseSession
from extract_project_tests.support.chdb_server import (
    ChdbServer,
    Engine,
    chdb_engine,
    chdb_server,
)
from extract_project_tests.support.rigs import LABEL, clickhouse_warehouse


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with chdb_engine(tmp_path_factory.mktemp("clickhouse")) as engine:
        yield engine


@pytest.fixture
def server(engine: Engine) -> Iterator[ChdbServer]:
    with chdb_server(engine) as server:
        yield server


@pytest.fixture
def session(server: ChdbServer) -> Iterator[ClickHouseSession]:
    with clickhouse_warehouse(server).connect(LABEL, timedelta(hours=1)) as session:
        yield session
