"""Live SQL, with Dagster's own processes: nobody reloads anything by hand here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.installation import Installation, installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.slow

_SECONDS = 180


@pytest.fixture(scope="module")
def live(module_aws: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("live")
    with installation(module_aws, home, "live", {"a/first": "select 1 as a"}) as running:
        yield running


def test_a_new_file_is_live_and_its_schedule_ticks(live: Installation) -> None:
    """Put, and nothing else: the asset appears, the daemon runs it on the minute, once a tick."""
    version = live.site.put_sql(
        "a/scheduled", "/*---\nschedule: '* * * * *'\nunchanged: publish\n---*/\nselect 1 as a"
    )
    live.await_extract("a/scheduled")
    live.await_versions("a/scheduled", 1)
    runs = live.runs("a/scheduled")
    ticks = [run.tags["extract/tick"] for run in runs]
    assert len(set(ticks)) == len(ticks)
    assert all(datetime.fromisoformat(tick).second == 0 for tick in ticks)
    head = live.site.s3.head_object(
        Bucket=live.site.data.bucket, Key="extracts/a/scheduled.parquet"
    )
    assert head["Metadata"]["extract-sql-version"] == version

    live.site.put_sql(
        "a/scheduled", "/*---\nschedule: '* * * * *'\nenabled: false\n---*/\nselect 1 as a"
    )
    await_value(
        "the schedule to be gone",
        lambda: "enabled: false" in live.description("a/scheduled"),
        _SECONDS,
    )


def test_a_change_runs_what_asked_for_it_once(live: Installation) -> None:
    header = "/*---\non_change: materialize\n---*/\n"
    live.site.put_sql("a/eager", f"{header}select 'old' as a")
    live.await_versions("a/eager", 1)
    live.site.put_sql("a/eager", f"{header}select 'new' as a")
    live.await_versions("a/eager", 2)
    assert b"new" in live.site.body("extracts/a/eager.parquet")
    live.site.put_sql("a/eager", f"{header}-- a comment changes nothing\nselect 'new' as a")
    await_value("the comment", lambda: "a comment" in live.description("a/eager"), _SECONDS)
    assert len(live.runs("a/eager")) == 2


def test_a_removed_file_is_gone_and_a_broken_one_red(live: Installation) -> None:
    live.site.put_sql("a/leaving", "select 1 as a")
    live.await_extract("a/leaving")
    live.site.s3.delete_object(
        Bucket=live.site.manifest.bucket, Key=live.site.manifest.key("a/leaving.sql")
    )
    live.site.put_sql("a/first", "selec 1 as a")
    live.await_extract("a/leaving", there=False)
    live.await_extract("a/first", there=False)
    live.site.put_sql("a/first", "select 1 as a")
    live.await_extract("a/first")


def test_a_push_of_many_files_is_one_reload(live: Installation) -> None:
    before = len(live.reloads())
    for number in range(100):
        live.site.put_sql(f"many/file_{number}", f"select {number} as a")
    live.await_extract("many/file_99")
    await_value("all of them", lambda: len(live.deployment.extracts()) > 100, _SECONDS)
    assert len(live.reloads()) - before == 1


@pytest.fixture(scope="module")
def beside_own(
    module_aws: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A code server whose definitions also have an asset `own/report` that is no SQL file."""
    home = tmp_path_factory.mktemp("beside_own")
    module = "extract_project_tests.support.own_definitions"
    files = {"a/first": "select 1 as a", "import": "selec 1", "type": "select 1 as a"}
    with installation(module_aws, home, "beside-own", files, module=module) as running:
        yield running


def test_g6_a_file_that_cannot_be_loaded_lets_the_others_go_live(beside_own: Installation) -> None:
    beside_own.await_extract("type")
    beside_own.site.put_sql("own/report", "select 1 as a")
    beside_own.site.put_sql("a/first", "select 'changed' as a")
    beside_own.site.put_sql("a/added", "select 2 as a")
    beside_own.await_extract("a/added")
    assert "'changed'" in beside_own.description("a/first")
    assert "own/report" not in beside_own.description("own/report")
    assert beside_own.run("a/first").finished
    beside_own.site.put_sql("a/first", "select 'again' as a")
    await_value("the next change", lambda: "again" in beside_own.description("a/first"), _SECONDS)
