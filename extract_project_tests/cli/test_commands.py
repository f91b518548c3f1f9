"""The commands as their users call them: real buckets, exit codes, plain output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from extract_project.cli.main import main
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish


def test_check_says_where_and_what_to_do(unconfigured: None, tmp_path: Path) -> None:
    write(tmp_path, "sales/good", "select 1 as one")
    bad = write(tmp_path, "sales/bad", "/*---\nshedule: daily\n---*/\nselect 1 as one")
    result = call("check", tmp_path, "--dialect", "duckdb")
    assert result.exit_code == 1
    assert f"{bad}:2:1: unknown key 'shedule': did you mean 'schedule'?" in result.output
    assert "2 files, 1 invalid" in result.output


def test_g6_check_judges_the_other_files_when_one_cannot_be_read(
    unconfigured: None, tmp_path: Path
) -> None:
    write(tmp_path, "sales/good", "select 1 as one")
    (tmp_path / "sales" / "folder.sql").mkdir()
    (tmp_path / "sales" / ".#good.sql").symlink_to("somebody@host")  # Emacs, editing good.sql
    lost = tmp_path / "sales" / "lost.sql"
    lost.symlink_to("nowhere")
    result = call("check", tmp_path, "--dialect", "duckdb")
    assert result.exit_code == 1
    assert f"{lost}:1:1: this file cannot be read: No such file or directory" in result.output
    assert "2 files, 1 invalid" in result.output


def test_a_push_stops_at_a_file_that_cannot_be_read(configured: Site, tmp_path: Path) -> None:
    """And never takes it for one that was removed."""
    write(tmp_path, "sales/lost", "select 1 as one")
    assert call("push", tmp_path).exit_code == 0
    lost = tmp_path / "sales" / "lost.sql"
    lost.unlink()
    lost.symlink_to("nowhere")
    for command in (["push", "--delete"], ["push", "--delete", "--force"], ["plan", "--delete"]):
        result = call(command[0], tmp_path, *command[1:])
        assert result.exit_code in (1, 2), command
        assert "sales/lost.sql" in result.output, command
    lost.unlink()
    assert "1 only in the bucket" in call("push", tmp_path).output


def test_letters_that_a_terminal_lacks_are_escaped(unconfigured: None, tmp_path: Path) -> None:
    write(tmp_path, "sales/\u00fc", "select 1 as one")
    arguments = ["check", str(tmp_path), "--dialect", "duckdb"]
    result = CliRunner(charset="ascii").invoke(main, arguments)
    assert result.exit_code == 1
    assert "sales/\\xfc.sql:1:1" in result.output


def test_check_sees_what_files_depend_on(unconfigured: None, tmp_path: Path) -> None:
    good = "/*---\ndepends_on: sales/orders\n---*/\nselect 1 as one"
    write(tmp_path, "sales/orders", "select 1 as one")
    write(tmp_path, "sales/after", good)
    lost = write(tmp_path, "sales/lost", good.replace("orders", "order"))
    itself = write(tmp_path, "sales/itself", good.replace("orders", "itself"))
    write(tmp_path, "type", "select 1 as one")
    result = call("check", tmp_path, "--dialect", "duckdb")
    assert f"{lost}:2:1: no extract 'sales/order' to depend on: did you mean" in result.output
    assert f"{itself}:2:1: an extract cannot depend on itself" in result.output
    assert "5 files, 2 invalid" in result.output
    below = call("check", tmp_path / "sales", "--dialect", "duckdb")
    assert f"{lost}:2:1: no extract 'sales/order' to depend on" in below.output
    assert call("check", tmp_path / "sales" / "after.sql", "--dialect", "duckdb").exit_code == 0
    assert call("check", lost, "--dialect", "duckdb").exit_code == 1


def test_check_as_json(unconfigured: None, tmp_path: Path) -> None:
    bad = write(tmp_path, "bad", "drop table x")
    (problem,) = json.loads(call("check", bad, "--dialect", "snowflake", "--json").stdout)
    assert (problem["file"], problem["line"], problem["column"]) == (str(bad), 1, 1)


def test_check_shows_warnings_and_succeeds(unconfigured: None, tmp_path: Path) -> None:
    file = write(tmp_path, "odd", "select *\nfrom t where day = '{{ ds }}'")
    result = call("check", file, "--dialect", "postgres")
    assert result.exit_code == 0
    assert f"{file}:2:20: warning: this string contains '{{{{ ds }}}}'" in result.output
    (warning,) = json.loads(call("check", file, "--dialect", "postgres", "--json").stdout)
    assert (warning["line"], warning["severity"]) == (2, "warning")


def test_check_without_settings_says_how(unconfigured: None, tmp_path: Path) -> None:
    write(tmp_path, "good", "select 1 as one")
    result = call("check", tmp_path)
    assert result.exit_code == 2
    assert (
        "EXTRACT_MANIFEST is not set: expected where the SQL files are, as s3://" in result.output
    )
    assert "EXTRACT_DATA is not set: expected where extracts are published" in result.output
    assert "EXTRACT_WAREHOUSES is not set: expected at least one warehouse" in result.output
    assert "EXTRACT_WAREHOUSES__SHOP__TYPE=duckdb" in result.output
    assert "--dialect duckdb" in result.output


def test_push_uploads_what_changed(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/one", "select 1 as one")
    write(tmp_path, "a/two", "select 2 as two")
    assert "2 added, 0 changed" in call("push", tmp_path).output
    write(tmp_path, "a/two", "select 22 as two")
    assert "0 added, 1 changed, 0 only in the bucket, 1 unchanged" in call("push", tmp_path).output
    (tmp_path / "a/one.sql").unlink()
    assert "1 only in the bucket" in call("push", tmp_path).output
    assert "1 removed" in call("push", tmp_path, "--delete").output
    assert [extract.path for extract in configured.snapshot().extracts] == ["a/two"]


def test_push_refuses_invalid_files_unless_forced(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/bad", "drop table x")
    refused = call("push", tmp_path)
    assert refused.exit_code == 1
    assert "a/bad.sql:1:1" in refused.output
    assert "nothing pushed" in refused.output
    assert configured.snapshot().invalid == ()
    configured.put_sql("a/base", "select 1 as one")
    write(tmp_path, "a/after", "/*---\ndepends_on: [a/base, a/bas]\n---*/\nselect 1 as one")
    refused = call("push", tmp_path)
    assert "a/after.sql:2:22: no extract 'a/bas' to depend on" in refused.output
    write(tmp_path, "a/after", "/*---\ndepends_on: a/base\n---*/\nselect 1 as one")
    assert call("push", tmp_path, "--force").exit_code == 0
    assert [each.path for each in configured.snapshot().invalid] == ["a/bad"]


def test_versions_lists_the_history(configured: Site) -> None:
    old = publish(configured, "a/b", "select 1 as n")
    new = publish(configured, "a/b", "select n from range(3) t(n)")
    lines = call("versions", "a/b").output.splitlines()
    assert lines[1].split()[:2] == ["current", new]
    assert lines[2].split()[0] == old
    (first, second) = json.loads(call("versions", "a/b", "--json").stdout)
    assert (first["version_id"], first["rows"], second["rows"]) == (new, 3, 1)


def test_versions_of_nothing_say_what_to_do(configured: Site) -> None:
    configured.put_sql("sales/orders", "select 1 as one")
    unpublished = call("versions", "sales/orders")
    assert unpublished.exit_code == 2
    assert "extract run sales/orders" in unpublished.output
    assert "did you mean 'sales/orders'?" in call("versions", "sales/order").output


def test_g10_trace_leads_back_from_any_version(configured: Site) -> None:
    old = publish(configured, "a/b", "select 1 as n")
    publish(configured, "a/b", "select 2 as n")
    uri = f"s3://{configured.data.bucket}/extracts/a/b.parquet"
    current, earlier = call("trace", uri).output, call("trace", f"{uri}?versionId={old}").output
    assert "select 2 as n" in current
    assert "select 1 as n" in earlier
    assert "run-1" in earlier
    receipt = json.loads(call("trace", f"{uri}?versionId={old}", "--json").stdout)
    assert (receipt["rows"], receipt["sql"]) == (1, "select 1 as n")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("a/b.parquet", "is not an object's URI"),
        ("s3://{bucket}/extracts/none.parquet", "does not have a current version"),
        ("s3://{bucket}/foreign.txt", "was not written by an extract"),
    ],
)
def test_trace_of_something_else_says_so(configured: Site, uri: str, message: str) -> None:
    configured.s3.put_object(Bucket=configured.data.bucket, Key="foreign.txt", Body=b"x")
    result = call("trace", uri.format(bucket=configured.data.bucket))
    assert result.exit_code == 2
    assert message in result.output


def test_get_downloads_and_verifies(configured: Site, tmp_path: Path) -> None:
    old = publish(configured, "a/b", "select 1 as n")
    publish(configured, "a/b", "select 2 as n")
    file = tmp_path / "b.parquet"
    assert "verified" in call("get", "a/b", "-o", file).output
    assert pq.read_table(file)["n"].to_pylist() == [2]
    call("get", "a/b", "--version", old, "-o", file, "--force")
    assert pq.read_table(file)["n"].to_pylist() == [1]


def test_a_split_extract_is_listed_traced_and_downloaded(configured: Site, tmp_path: Path) -> None:
    text = "/*---\nsplit: {rows: 2}\n---*/\nselect n from range(5) t(n) order by n"
    version_id = publish(configured, "a/b", text)
    (listed,) = json.loads(call("versions", "a/b", "--json").stdout)
    bucket = configured.data.bucket
    part = configured.body("extracts/a/b/part-00000.parquet")
    assert (listed["version_id"], listed["rows"]) == (version_id, 5)
    assert listed["bytes"] > len(part)
    for name in ("_manifest.json", "part-00002.parquet"):
        traced = json.loads(call("trace", f"s3://{bucket}/extracts/a/b/{name}", "--json").stdout)
        assert (traced["run_id"], traced["parts"], traced["sql"]) == ("run-1", 3, text)
    assert "3 parts, verified" in call("get", "a/b", "-o", tmp_path / "b").output
    assert sorted(file.name for file in (tmp_path / "b").iterdir()) == [
        "_manifest.json",
        *(f"part-0000{n}.parquet" for n in range(3)),
    ]
    assert (tmp_path / "b/part-00000.parquet").read_bytes() == part
    assert "is not empty" in call("get", "a/b", "-o", tmp_path / "b").output
    call("get", "a/b", "--one-file", "-o", tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet")["n"].to_pylist() == [0, 1, 2, 3, 4]


def test_get_refuses_an_object_that_was_tampered_with(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", "select 1 as n")
    key = "extracts/a/b.parquet"
    head = configured.s3.head_object(Bucket=configured.data.bucket, Key=key)
    configured.s3.put_object(
        Bucket=configured.data.bucket, Key=key, Body=b"forged", Metadata=head["Metadata"]
    )
    file = tmp_path / "b.parquet"
    result = call("get", "a/b", "-o", file)
    assert result.exit_code == 2
    assert "replaced or damaged" in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_commands_cuts_nothing_off() -> None:
    assert "..." not in call("--help").output.partition("Commands:")[2]


def test_every_command_has_help_with_an_example() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        result = call(name, "--help")
        assert result.exit_code == 0
        if name not in ("demo", "mcp", "schema", "up"):
            assert f"extract {name} " in (command.help or "")


def test_a_misspelt_command_is_told() -> None:
    result = call("statsu")
    assert result.exit_code == 2
    assert "no command 'statsu': did you mean 'status'?" in result.stderr


_WHILE_SOMEBODY_WAITS = ("failed", "logs", "release", "rerun", "run", "runs", "status", "why")
"""Commands that ask a deployment. A contract of import-linter keeps Dagster out of their functions
too."""


def test_commands_import_only_what_they_need() -> None:
    code = (
        "import click, sys; from extract_project.cli.main import main\n"
        f"for name in {_WHILE_SOMEBODY_WAITS}: main.get_command(click.Context(main), name)\n"
        "print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "extract_project.cli.running.why" in told.stdout
    heavy = {
        "pyarrow",
        "sqlglot",
        "duckdb",
        "dagster",
        "boto3",
        "extract_project.cli.published.diff",
        "extract_project.manifest.parsing",
    }
    assert heavy.isdisjoint(told.stdout.split()), heavy.intersection(told.stdout.split())
