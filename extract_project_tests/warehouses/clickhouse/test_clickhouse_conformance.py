"""The conformance suite, run against ClickHouse's real engine."""

from __future__ import annotations

import pytest

from extract_project.warehouses.conformance.rig import Rig
from extract_project.warehouses.conformance.suite import *  # noqa: F403 - the tests
from extract_project_tests.support.chdb_server import ChdbServer
from extract_project_tests.support.rigs import clickhouse_rig

pytestmark = pytest.mark.own_engine


@pytest.fixture
def rig(server: ChdbServer) -> Rig:
    return clickhouse_rig(server)
