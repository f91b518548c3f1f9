"""One installation of Dagster for all the tests in here, one Snowflake, one browser.

Each module has its SQL files in a folder of its own, and asserts nothing about other folders.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.browser import chromium
from extract_project_tests.support.installation import DuckDBFile, Installation, installation
from extract_project_tests.support.rigs import snowflake_service, snowflake_settings
from extract_project_tests.support.snowflake_server import SnowflakeServer, snowflake_server

_DEFINITIONS = "extract_project_tests.support.installed_definitions"


@pytest.fixture(scope="package")
def snowflake() -> Iterator[SnowflakeServer]:
    with snowflake_server(snowflake_service()) as running:
        yield running


@pytest.fixture(scope="package")
def file(tmp_path_factory: pytest.TempPathFactory) -> DuckDBFile:
    """The warehouse `file`, whose tables tests change between two runs."""
    made = DuckDBFile(tmp_path_factory.mktemp("file") / "warehouse.duckdb")
    made.execute("select 'a warehouse that is there, and empty'")
    return made


@pytest.fixture(scope="package")
def installed(
    request: pytest.FixtureRequest,
    server: S3Server,
    snowflake: SnowflakeServer,
    file: DuckDBFile,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """Dagster with the `FILES` of every module in here: what is there at the start needs no reload.

    The default warehouse is in memory; `snow` and `file` are beside it.
    """
    files: dict[str, str] = {}
    for module in {item.getparent(pytest.Module) for item in request.session.items}:
        assert module is not None
        if module.path.parent == request.path.parent:
            files |= module.obj.FILES
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        home = tmp_path_factory.mktemp("dagster")
        settings = {**snowflake_settings(snowflake), **file.settings("FILE")}
        with installation(
            server, home, "installed", files, settings, module=_DEFINITIONS
        ) as running:
            yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running
