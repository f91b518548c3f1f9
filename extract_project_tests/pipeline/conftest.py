"""What tests of several modules of the pipeline share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.rigs import snowflake_service
from extract_project_tests.support.snowflake_server import snowflake_server
from extract_project_tests.support.unloads import Rig


@pytest.fixture
def rig(site: Site) -> Iterator[Rig]:
    with snowflake_server(snowflake_service(chunk_rows=1000)) as server:
        server.service.engine.unloading.file_rows = 100
        yield Rig(site, server)
