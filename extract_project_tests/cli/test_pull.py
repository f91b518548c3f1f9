"""`extract pull`: the manifest in a folder, and nothing lost that was changed there."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract_project.errors import ManifestError
from extract_project.manifest.pull import plan_pull
from extract_project.store.folder import Folder
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.memory_store import MemoryStore


def _here(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".sql", ".yaml")
    }


def test_a_pull_fetches_the_manifest_and_follows_it(configured: Site, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for name in ("a/one", "a/two", "gone"):
        configured.put_sql(name, "select 1 as n")
    configured.put_defaults("a", "format: csv\n")
    done = call("pull", folder)
    assert (done.exit_code, "4 files pulled" in done.output) == (0, True), done.output
    configured.put_sql("a/one", "select 2 as n")
    configured.manifest.store.hide(configured.manifest.key("gone.sql"))
    done = call("pull", folder)
    assert "changed  a/one.sql" in done.output
    assert "removed  gone.sql" in done.output
    assert _here(folder) == {
        "a/_defaults.yaml": "format: csv\n",
        "a/one.sql": "select 2 as n",
        "a/two.sql": "select 1 as n",
    }


def test_what_was_changed_here_is_kept(configured: Site, tmp_path: Path) -> None:
    for name in ("mine", "both", "gone"):
        configured.put_sql(name, "select 1 as n")
    write(tmp_path, "never_seen", "select 'mine' as n")
    configured.put_sql("never_seen", "select 'theirs' as n")
    assert call("pull", tmp_path).exit_code == 1
    for name in ("mine", "both", "gone"):
        write(tmp_path, name, "select 'mine' as n")
    configured.put_sql("both", "select 'theirs' as n")
    configured.manifest.store.hide(configured.manifest.key("gone.sql"))
    done = call("pull", tmp_path)
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("kept")] == [
        "kept     both.sql",
        "kept     never_seen.sql",
        "kept     gone.sql",
    ]
    assert set(_here(tmp_path).values()) == {"select 'mine' as n"}
    assert "both.sql differs here" in call("push", tmp_path).output
    assert call("pull", tmp_path, "--overwrite").exit_code == 0
    assert _here(tmp_path) == {
        "both.sql": "select 'theirs' as n",
        "mine.sql": "select 1 as n",
        "never_seen.sql": "select 'theirs' as n",
    }


def test_a_push_after_a_pull_has_seen_everything(configured: Site, tmp_path: Path) -> None:
    configured.put_sql("a/one", "select 1 as n")
    assert call("pull", tmp_path).exit_code == 0
    write(tmp_path, "a/one", "select 2 as n")
    assert call("push", tmp_path).exit_code == 0
    (tmp_path / "a/one.sql").unlink()
    assert call("push", tmp_path, "--delete").exit_code == 0
    assert configured.snapshot().extracts == ()


def test_a_key_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    manifest = Folder.of(MemoryStore("bucket"), "sql")
    manifest.store.put("sql/a/../../b.sql", b"select 1", "application/sql")
    with pytest.raises(ManifestError, match="is no path below a folder"):
        plan_pull(manifest, tmp_path, {})
