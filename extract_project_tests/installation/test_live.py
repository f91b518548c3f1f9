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


FILES = {"live/first": "select 1 as a"}


def test_a_new_file_is_live_and_its_schedule_ticks(installed: Installation) -> None:
    """Put, and nothing else: the asset appears, the daemon runs it on the minute, once a tick."""
    version = installed.site.put_sql(
        "live/scheduled", "/*---\nschedule: '* * * * *'\nunchanged: publish\n---*/\nselect 1 as a"
    )
    installed.await_extract("live/scheduled")
    installed.await_versions("live/scheduled", 1)
    runs = installed.runs("live/scheduled")
    ticks = [run.tags["extract/tick"] for run in runs]
    assert len(set(ticks)) == len(ticks)
    assert all(datetime.fromisoformat(tick).second == 0 for tick in ticks)
    head = installed.site.s3.head_object(
        Bucket=installed.site.data.bucket, Key="extracts/live/scheduled.parquet"
    )
    assert head["Metadata"]["extract-sql-version"] == version

    installed.site.put_sql(
        "live/scheduled", "/*---\nschedule: '* * * * *'\nenabled: false\n---*/\nselect 1 as a"
    )
    await_value(
        "the schedule to be gone",
        lambda: "enabled: false" in installed.sql("live/scheduled"),
        _SECONDS,
    )


def test_a_change_runs_what_asked_for_it_once(installed: Installation) -> None:
    header = "/*---\non_change: materialize\n---*/\n"
    installed.site.put_sql("live/eager", f"{header}select 'old' as a")
    installed.await_versions("live/eager", 1)
    installed.site.put_sql("live/eager", f"{header}select 'new' as a")
    installed.await_versions("live/eager", 2)
    assert b"new" in installed.site.body("extracts/live/eager.parquet")
    installed.site.put_sql("live/eager", f"{header}-- a comment changes nothing\nselect 'new' as a")
    await_value("the comment", lambda: "a comment" in installed.sql("live/eager"), _SECONDS)
    assert len(installed.runs("live/eager")) == 2


@pytest.mark.soak
def test_a_change_of_defaults_runs_what_asked_for_it(installed: Installation) -> None:
    installed.site.put_defaults("reached", "on_change: materialize\nparams: {word: old}")
    installed.site.put_sql("reached/eager", "select :word as word")
    installed.await_versions("reached/eager", 1)
    installed.site.put_defaults("reached", "on_change: materialize\nparams: {word: new}")
    installed.await_versions("reached/eager", 2)
    assert b"new" in installed.site.body("extracts/reached/eager.parquet")


def test_a_removed_file_is_gone_and_a_broken_one_red(installed: Installation) -> None:
    installed.site.put_sql("live/leaving", "select 1 as a")
    installed.await_extract("live/leaving")
    installed.site.s3.delete_object(
        Bucket=installed.site.manifest.bucket, Key=installed.site.manifest.key("live/leaving.sql")
    )
    installed.site.put_sql("live/first", "selec 1 as a")
    installed.await_extract("live/leaving", there=False)
    installed.await_extract("live/first", there=False)
    installed.site.put_sql("live/first", "select 1 as a")
    installed.await_extract("live/first")


@pytest.mark.soak
def test_a_push_of_many_files_is_one_reload(installed: Installation) -> None:
    before = len(installed.reloads())
    for number in range(100):
        installed.site.put_sql(f"many/file_{number}", f"select {number} as a")
    installed.await_extract("many/file_99")
    await_value("all of them", lambda: len(installed.deployment.extracts()) > 100, _SECONDS)
    assert len(installed.reloads()) - before == 1
    for number in range(100):
        key = installed.site.manifest.key(f"many/file_{number}.sql")
        installed.site.s3.delete_object(Bucket=installed.site.manifest.bucket, Key=key)
    installed.await_extract("many/file_99", there=False)


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
    assert "'changed'" in beside_own.sql("a/first")
    assert beside_own.sql("own/report") == ""
    assert beside_own.run("a/first").finished
    beside_own.site.put_sql("a/first", "select 'again' as a")
    await_value("the next change", lambda: "again" in beside_own.sql("a/first"), _SECONDS)
