"""The proxy, and parts of uploads that are as small as S3 takes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.attack.proxy import FaultProxy, fault_proxy
from extract_project_tests.support.attack.rig import without_patience


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


@pytest.fixture(autouse=True)
def _without_patience() -> Iterator[None]:
    with without_patience():
        yield
