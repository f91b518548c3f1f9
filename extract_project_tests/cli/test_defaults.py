"""The commands before a push know the defaults of folders."""

from __future__ import annotations

import json
from pathlib import Path

from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish

SQL = "select 1 as a"


def test_push_uploads_and_removes_defaults(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/one", SQL)
    file = tmp_path / "a/_defaults.yaml"
    file.write_text("format: csv\n")
    assert "2 added" in call("push", tmp_path).output
    assert configured.snapshot().extracts[0].header.format == "csv"
    file.write_text("frmat: csv\n")
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert refused.output.count("a/_defaults.yaml:1:1: unknown key 'frmat'") == 1
    file.unlink()
    assert "1 only in the bucket" in call("push", tmp_path).output
    assert configured.snapshot().extracts[0].header.format == "csv"
    assert "1 removed" in call("push", tmp_path, "--delete").output
    assert configured.snapshot().extracts[0].header.format == "parquet"


def test_push_counts_the_defaults_that_stay_in_the_bucket(configured: Site, tmp_path: Path) -> None:
    configured.put_defaults("a", "partitions: daily\n")
    write(tmp_path, "a/one", SQL)
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert "('partitions' is set in a/_defaults.yaml:1:1)" in refused.output
    unseen = call("push", tmp_path, "--delete")
    assert (unseen.exit_code, "never pulled or pushed from here" in unseen.output) == (1, True)
    assert call("push", tmp_path, "--delete", "--overwrite").exit_code == 0


def test_plan_names_what_changes_because_of_a_default(configured: Site, tmp_path: Path) -> None:
    for path in ("a/one", "a/two", "b/three"):
        write(tmp_path, path, SQL)
    configured.put_sql("a/only_there", SQL)
    write(tmp_path, "a/own", f"/*---\nformat: arrow\n---*/\n{SQL}")
    assert call("push", tmp_path).exit_code == 0
    (tmp_path / "a/_defaults.yaml").write_text("format: csv\n")
    shown = call("plan", tmp_path, "--no-describe")
    assert shown.exit_code == 0
    changed = "the data changes, format changed by a/_defaults.yaml"
    assert f"changed  a/one  {changed}" in shown.output
    assert f"changed  a/only_there  {changed}" in shown.output
    assert "0 new, 3 changed, 0 removed, 0 invalid" in shown.output
    (tmp_path / "a/_defaults.yaml").write_text("frmat: csv\n")
    refused = call("plan", tmp_path, "--no-describe")
    assert refused.exit_code == 1
    assert "invalid  a/one" in refused.output
    assert "a/_defaults.yaml:1:1: unknown key 'frmat'" in refused.output
    assert "b/three" not in refused.output


def test_check_says_what_is_wrong_with_defaults_once(unconfigured: None, tmp_path: Path) -> None:
    file = write(tmp_path, "a/b/one", SQL)
    write(tmp_path, "a/b/two", SQL)
    defaults = tmp_path / "a/_defaults.yaml"
    defaults.write_text("frmat: csv\n")
    for path in (tmp_path, tmp_path / "a/b", file, defaults):
        found = call("check", path, "--dialect", "duckdb")
        assert found.exit_code == 1
        assert found.output.count(f"{defaults}:1:1: unknown key 'frmat'") == 1
    assert "3 files, 3 invalid" in call("check", tmp_path, "--dialect", "duckdb").output
    defaults.write_text("partitions: daily\n")
    found = call("check", file, "--dialect", "duckdb")
    assert f"{file}:1:1: the SQL does not use its partition's values" in found.output
    assert "('partitions' is set in ../_defaults.yaml:1:1)" in found.output
    (tmp_path / "c").mkdir()
    (tmp_path / "c/_defaults.yaml").write_text("frmat: csv\n")
    assert call("check", tmp_path / "c", "--dialect", "duckdb").exit_code == 1
    (tmp_path / "a/.git").mkdir()
    (tmp_path / "_defaults.yaml").write_text("of another repository")
    defaults.write_text("format: csv\n")
    assert call("check", file, "--dialect", "duckdb").exit_code == 0


def test_preview_has_the_defaults_of_the_folders_above(configured: Site, tmp_path: Path) -> None:
    file = write(tmp_path, "a/b/one", "select :country as country")
    (tmp_path / "a/_defaults.yaml").write_text("params: {country: DE}\n")
    found = call("preview", file)
    assert found.exit_code == 0
    assert "DE" in found.output


def test_g10_a_version_leads_back_to_its_defaults(configured: Site) -> None:
    first = configured.put_defaults("a", "params: {n: 1}\n")
    old = publish(configured, "a/b", "select :n as n")
    second = configured.put_defaults("a", "params: {n: 2}\n")
    new = publish(configured, "a/b", "select :n as n")
    uri = f"s3://{configured.data.bucket}/extracts/a/b.parquet"
    traced = call("trace", f"{uri}?versionId={old}").stdout
    assert f"a/_defaults.yaml version {first}" in traced
    facts = json.loads(call("trace", uri, "--json").stdout)
    (defaults,) = facts["defaults"]
    assert defaults["source"]["key"] == "sql/a/_defaults.yaml"
    assert defaults["source"]["version_id"] == second
    assert defaults["text"] == "params: {n: 2}\n"
    shown = call("diff", "a/b", old, new).stdout
    assert (
        "the SQL text is the same, run otherwise: with other defaults (a/_defaults.yaml)" in shown
    )
    assert "-params: {n: 1}" in shown


def test_diff_knows_the_key_that_defaults_declare_unique(configured: Site) -> None:
    configured.put_defaults("a", "checks: [{unique: id}]\n")
    rows = "select * from (values (1, '{}'), (2, 'y')) v(id, v)"
    old, new = (publish(configured, "a/b", rows.format(value)) for value in "xz")
    assert "1 changed" in call("diff", "a/b", old, new).stdout
