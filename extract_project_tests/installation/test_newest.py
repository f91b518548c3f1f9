"""Commands right after a change of SQL: none of them runs, or shows, what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract_project_tests.support.commands import write
from extract_project_tests.support.installation import Installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.soak

BROKEN = "select cast('x' as integer) as a"
FILES = {
    "newest/changed": "select 'old' as a",
    "newest/broken": BROKEN,
}


def _published(installed: Installation, path: str) -> bytes:
    return installed.site.body(f"extracts/{path}.parquet")


def test_run_loads_what_is_newer_in_the_bucket(installed: Installation) -> None:
    version = installed.site.put_sql("newest/changed", "select 'new' as a")
    done = installed.call("run", "newest/changed")
    assert done.exit_code == 0, done.output
    assert b"new" in _published(installed, "newest/changed")
    assert f"newest/changed: SQL version {version}" in done.stderr
    installed.site.put_sql("newest/added", "select 'added' as a")
    done = installed.call("run", "newest/add*")
    assert done.exit_code == 0, done.output
    assert b"added" in _published(installed, "newest/added")


def test_run_of_an_invalid_file_says_why(installed: Installation) -> None:
    installed.site.put_sql("newest/invalid", "selec 1 as a")
    done = installed.call("run", "newest/invalid")
    assert done.exit_code == 2
    assert "newest/invalid is invalid" in done.stderr
    assert "newest/invalid.sql:1:1" in done.stderr


def test_a_changed_default_is_newer_too(installed: Installation) -> None:
    installed.site.put_sql(
        "newest/below/extract", "/*---\nparams: {word: old}\n---*/\nselect :word as a"
    )
    installed.site.put_sql("newest/below/plain", "select :word as a")
    installed.site.put_defaults("newest/below", "params: {word: first}")
    assert installed.call("run", "newest/below/plain").exit_code == 0
    installed.site.put_defaults("newest/below", "params: {word: second}")
    assert installed.call("run", "newest/below/plain").exit_code == 0
    assert b"second" in _published(installed, "newest/below/plain")


def test_as_loaded_says_what_it_runs(installed: Installation) -> None:
    version = installed.site.put_sql("newest/kept", "select 'first' as a")
    assert installed.call("run", "newest/kept").exit_code == 0
    installed.site.put_sql("newest/kept", "select 'second' as a")
    done = installed.call("run", "newest/kept", "--as-loaded")
    assert done.exit_code == 0, done.output
    if b"first" in _published(installed, "newest/kept"):  # the sensor has not loaded it meanwhile
        assert f"newest/kept: SQL version {version}; the bucket has newer SQL" in done.stderr


def test_push_waits_until_it_is_live(installed: Installation, tmp_path: Path) -> None:
    write(tmp_path, "newest/pushed", "select 'first' as a")
    done = installed.call("push", str(tmp_path))
    assert (done.exit_code, "live: newest/pushed.sql" in done.stdout) == (0, True), done.output
    assert "newest/pushed" in installed.deployment.extracts()
    write(tmp_path, "newest/pushed", "select 'second' as a")
    write(tmp_path, "newest/pushed_broken", "selec 1")
    done = installed.call("push", str(tmp_path), "--force")
    assert done.exit_code == 1
    assert "newest/pushed_broken is invalid newest/pushed_broken.sql:1:1" in done.stdout
    assert installed.run("newest/pushed").status == "SUCCESS"
    assert b"second" in _published(installed, "newest/pushed")


def test_a_rerun_right_after_a_fix_runs_the_fix(installed: Installation) -> None:
    assert installed.run("newest/broken").status == "FAILURE"
    installed.site.put_sql("newest/broken", "select 'fixed' as a")
    done = installed.call("rerun", "newest/broken", "--yes")
    assert done.exit_code == 0, done.output
    assert b"fixed" in _published(installed, "newest/broken")


def test_a_rerun_leaves_out_what_is_invalid_now(installed: Installation) -> None:
    installed.site.put_sql("newest/group/worse", f"/*---\ngroup: worse\n---*/\n{BROKEN}")
    assert installed.call("run", "newest/group/worse").exit_code == 1
    installed.site.put_sql("newest/group/worse", "selec 1")
    done = installed.call("rerun", "--failed", "--group", "worse", "--yes")
    assert "newest/group/worse is invalid, so it is not run again" in done.stderr
    assert "nothing to run again" in done.stdout


def test_a_push_is_loaded_once(installed: Installation, tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, f"newest/many/{number}", f"select {number} as a")
    before = await_value("a first tick", lambda: len(installed.manifest_ticks()) or None)
    assert installed.call("push", str(tmp_path)).exit_code == 0

    def later() -> list[str]:
        return installed.manifest_ticks()[:-before]

    await_value("a tick after it", lambda: "all of them loaded" in "".join(later()[:1]), 60)
    assert [reason for reason in later() if reason.endswith(": reloaded")] == []
