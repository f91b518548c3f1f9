"""`extract push`: nothing is overwritten unseen, nothing invalid is pushed unless told."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from extract_project.errors import ManifestError
from extract_project.manifest.folder import manifest_files
from extract_project.manifest.push import compare, push
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish


def _there(site: Site) -> dict[str, str]:
    """The text of every SQL file in the bucket."""
    listed = site.manifest.store.list(site.manifest.key(""))
    keys = [each.key for each in listed if each.key.endswith(".sql")]
    return {
        site.manifest.relative(key): site.manifest.store.read(key).body.decode() for key in keys
    }


def test_each_file_is_named_with_its_version(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/one", "select 1 as n")
    done = call("push", tmp_path)
    (version,) = [extract.source.version_id for extract in configured.snapshot().extracts]
    assert f"added    a/one.sql version {version}" in done.output


def test_a_colleagues_newer_version_is_shown_and_kept(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/one", "select 1 as n")
    write(tmp_path, "a/two", "select 1 as n")
    assert call("push", tmp_path).exit_code == 0
    theirs = configured.put_sql("a/one", "select 'theirs' as n")
    write(tmp_path, "a/one", "select 'mine' as n")
    write(tmp_path, "a/two", "select 2 as n")
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert f"a/one.sql differs here; the bucket has version {theirs}" in refused.output
    shown = [line.strip() for line in refused.output.splitlines()]
    assert shown.count("-select 1 as n") == 2
    assert "+select 'theirs' as n" in shown
    assert "+select 'mine' as n" in shown
    assert "nothing pushed" in refused.output
    assert _there(configured) == {"a/one.sql": "select 'theirs' as n", "a/two.sql": "select 1 as n"}
    assert call("push", tmp_path, "--overwrite").exit_code == 0
    assert _there(configured) == {"a/one.sql": "select 'mine' as n", "a/two.sql": "select 2 as n"}
    assert "0 changed" in call("push", tmp_path).output


def test_a_file_that_only_a_colleague_changed_stays_as_it_is_there(
    configured: Site, tmp_path: Path
) -> None:
    for name in ("one", "two", "gone"):
        write(tmp_path, f"a/{name}", "select 1 as n")
    assert call("push", tmp_path).exit_code == 0
    configured.put_sql("a/one", "select 'theirs' as n")
    configured.manifest.store.hide(configured.manifest.key("a/gone.sql"))
    write(tmp_path, "a/two", "select 2 as n")
    done = call("push", tmp_path)
    assert done.exit_code == 0
    assert "a/one.sql is newer in the bucket" in done.output
    assert "a/gone.sql is newer in the bucket" in done.output
    assert _there(configured) == {"a/one.sql": "select 'theirs' as n", "a/two.sql": "select 2 as n"}


def test_a_folder_that_never_saw_the_bucket_overwrites_nothing(
    configured: Site, tmp_path: Path
) -> None:
    configured.put_sql("a/one", "select 'theirs' as n")
    write(tmp_path, "a/one", "select 'mine' as n")
    refused = call("push", tmp_path)
    assert (refused.exit_code, "never pulled or pushed from here" in refused.output) == (1, True)
    assert "-select 'theirs' as n" in refused.output
    assert _there(configured) == {"a/one.sql": "select 'theirs' as n"}


def test_only_what_was_seen_is_removed(configured: Site, tmp_path: Path) -> None:
    for name in ("kept", "gone", "changed"):
        write(tmp_path, f"a/{name}", "select 1 as n")
    assert call("push", tmp_path).exit_code == 0
    for name in ("gone", "changed"):
        (tmp_path / f"a/{name}.sql").unlink()
    configured.put_sql("a/changed", "select 2 as n")
    configured.put_sql("a/new", "select 3 as n")
    refused = call("push", tmp_path, "--delete")
    assert refused.exit_code == 1
    assert "a/changed.sql is removed here; the bucket has" in refused.output
    assert "a/new.sql is removed here; the bucket has" in refused.output
    assert len(_there(configured)) == 4
    assert call("push", tmp_path, "--delete", "--overwrite").exit_code == 0
    assert list(_there(configured)) == ["a/kept.sql"]


@pytest.mark.parametrize("name", ["added", "changed", "removed"])
def test_what_changes_at_the_last_moment_is_not_overwritten(
    configured: Site, tmp_path: Path, name: str
) -> None:
    configured.put_sql("a/changed", "select 1 as n")
    configured.put_sql("a/removed", "select 1 as n")
    for each in ("added", "changed"):
        write(tmp_path, f"a/{each}", "select 2 as n")
    files = manifest_files(tmp_path)
    changes = compare(configured.manifest, files)
    configured.put_sql(f"a/{name}", "select 'theirs' as n")
    with pytest.raises(ManifestError, match=rf"a/{name}\.sql was changed in the bucket at this"):
        deque(push(configured.manifest, files, changes, delete=True), maxlen=0)
    assert _there(configured)[f"a/{name}.sql"] == "select 'theirs' as n"


@pytest.mark.parametrize("part", ["sales", "sales/orders.sql"])
@pytest.mark.parametrize("knows", ["lock", "bucket", "option"])
def test_a_part_is_pushed_to_its_own_place(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, knows: str
) -> None:
    folder = tmp_path / "sql_manifest"
    monkeypatch.chdir(tmp_path)
    for name in ("sales/orders", "finance/revenue"):
        write(folder, name, "select 1 as n")
        if knows == "bucket":
            configured.put_sql(name, "select 1 as n")
    if knows == "lock":
        assert call("push", folder).exit_code == 0
    write(folder, "sales/orders", "select 2 as n")
    write(folder, "finance/revenue", "select 3 as n")
    choices: dict[str, list[str | Path]] = {
        "option": ["--root", folder],
        "bucket": ["--overwrite"],
        "lock": [],
    }
    options = choices[knows]
    done = call("push", folder / part, "--delete", *options)
    assert done.exit_code == 0, done.output
    there = _there(configured)
    assert there.pop("sales/orders.sql") == "select 2 as n"
    assert there == ({} if knows == "option" else {"finance/revenue.sql": "select 1 as n"})


@pytest.mark.parametrize("part", ["sales", "sales/orders.sql"])
def test_a_plan_of_a_part_is_of_its_own_place(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sales/orders", "finance/revenue"):
        configured.put_sql(name, "select 1 as n")
        write(tmp_path, f"sql_manifest/{name}", "select 2 as n")
    planned = call("plan", tmp_path / "sql_manifest" / part, "--no-describe", "--delete")
    assert planned.exit_code == 0, planned.output
    assert "changed  sales/orders" in planned.output
    assert "0 new, 1 changed, 0 removed, 0 invalid" in planned.output


def test_what_a_warehouse_refuses_is_not_pushed(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/bad", "select nowhere\nfrom (select 1 as n)")
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert "a/bad.sql:1:8" in refused.output
    assert _there(configured) == {}
    assert call("push", tmp_path, "--no-describe").exit_code == 0
    assert list(_there(configured)) == ["a/bad.sql"]


def test_what_breaks_a_reader_is_not_pushed_unless_told(configured: Site, tmp_path: Path) -> None:
    text = "/*---\nconsumers: [crm]\n---*/\nselect 1 as n, 2 as m"
    publish(configured, "a/b", text)
    write(tmp_path, "a/b", text)
    assert call("push", tmp_path).exit_code == 0
    write(tmp_path, "a/b", text.replace(", 2 as m", ""))
    refused = call("push", tmp_path)
    assert (refused.exit_code, "BREAKING for crm (consumer)" in refused.output) == (1, True)
    assert _there(configured) == {"a/b.sql": text}
    assert call("push", tmp_path, "--force").exit_code == 0


def test_new_defaults_are_checked_against_files_in_the_bucket(
    configured: Site, tmp_path: Path
) -> None:
    configured.put_sql("a/only_there", "select 1 as n")
    write(tmp_path, "a/own", "select 1 as n, :partition_start as s")
    (tmp_path / "a/_defaults.yaml").write_text("partitions: {type: daily, start: 2026-01-01}\n")
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert "a/only_there.sql:1:1" in refused.output
    assert "a/own.sql" not in refused.output
    assert list(_there(configured)) == ["a/only_there.sql"]
