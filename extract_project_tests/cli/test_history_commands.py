"""The incident: the numbers changed: was it the data or the SQL? And back."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import publish
from extract_project_tests.support.waiting import await_next_second

KEY = "extracts/a/b.parquet"
BEFORE = """/*---
checks: [{unique: id}]
---*/
select i as id, i * 1.5 as amount, 'open' as status from range(10) t(i)"""
AFTER = """/*---
checks: [{unique: id}]
---*/
select i as id, case when i < 5 then 0.5 else i * 1.5 end as amount, 'open' as status
from range(2, 12) t(i)"""


def test_versions_show_what_changed(configured: Site) -> None:
    first = publish(configured, "a/b", "select 1 as n")
    second = publish(configured, "a/b", "select n, n as m from range(3) t(n)")
    await_next_second()
    marker = configured.s3.delete_object(Bucket=configured.data.bucket, Key=KEY)["VersionId"]
    third = publish(configured, "a/b", "select n, n as m from range(3) t(n) order by n desc")
    lines = call("versions", "a/b").stdout.splitlines()
    assert lines[0].split()[:3] == ["VersionId", "published", "(UTC)"]
    assert lines[1].split()[:2] == ["current", third]
    assert ("+0" in lines[1], "SQL," in lines[1]) == (True, False)
    assert (lines[2].split()[:2], len(lines[2].split())) == (["deleted", marker], 4)
    assert lines[3].split()[0] == second
    assert "+2" in lines[3]
    assert "SQL, schema" in lines[3]
    assert lines[4].split()[0] == first
    limited = call("versions", "a/b", "--limit", "1")
    assert "and 3 older: --limit 4" in limited.stderr
    listed = json.loads(call("versions", "a/b", "--json").stdout)
    assert [each["deleted"] for each in listed] == [False, True, False, False]
    assert [each.get("sql_changed") for each in listed] == [True, None, True, None]


def test_diff_says_whether_it_was_the_sql_or_the_data(configured: Site) -> None:
    old = publish(configured, "a/b", BEFORE)
    new = publish(configured, "a/b", AFTER)
    result = call("diff", "a/b")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "the SQL differs; the data differs: 2 rows added, 2 removed, 3 changed (in amount)"
    )
    assert lines[1].split()[:2] == ["-", old]
    assert lines[2].split()[:2] == ["+", new]
    assert "+from range(2, 12) t(i)" in lines
    assert "rows by id" in lines
    assert "  id=2: amount: 3.0 → 0.5" in lines
    assert "  id=10, amount=15.0, status=open" in lines
    as_json = json.loads(call("diff", "a/b", old, "current", "--json").stdout)
    assert (as_json["same"], as_json["old"]["version_id"], as_json["rows"]["changed"]) == (
        *(False, old),
        3,
    )


def test_diff_of_the_same_data_is_0_whatever_the_sql(configured: Site) -> None:
    old = publish(configured, "a/b", "select i from range(3) t(i)")
    publish(configured, "a/b", "select i from range(3) t(i) order by i desc")
    result = call("diff", "a/b")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        *(0, "the SQL differs; the data is the same, row for row"),
    )
    same = call("diff", "a/b", old, old)
    assert (same.exit_code, same.stdout.splitlines()[0]) == (
        *(0, "the SQL is the same; the data is the same, byte for byte"),
    )


def test_diff_of_other_columns(configured: Site) -> None:
    publish(configured, "a/b", "select i::int as id, 'x' as gone from range(2) t(i)")
    publish(configured, "a/b", "select i as id, 1.5 as come, i as more from range(2) t(i)")
    result = call("diff", "a/b")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "the SQL differs; the schema differs: id retyped, gone removed, come added, more added; "
        "the data is the same, in the columns that both have"
    )
    assert "breaking: 'gone', text, is gone" in lines
    assert any(line.startswith("come (new)") for line in lines)


def test_diff_of_formats_whose_types_are_in_the_receipt(configured: Site) -> None:
    text = "/*---\nformat: {}\ntimestamps: ns\n---*/\n"
    text += "select timestamp_ns '2026-01-01 00:00:00.00000000{}' as t"
    for name in ("csv", "jsonl"):
        publish(configured, f"a/{name}", text.format(name, 1))
        publish(configured, f"a/{name}", text.format(name, 2))
        result = call("diff", f"a/{name}", "--key", "t")
        assert result.exit_code == 1
        assert "the data differs: 1 row added, 1 removed" in result.stdout
        assert "  t=2026-01-01T00:00:00.000000002" in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a/b", "nonsense"], "has no version 'nonsense'"),
        (["a/b", "--key", "idd"], "did you mean 'id'?"),
        (["a/b", "--key", "status"], "does not identify a row of the old version"),
        (["a/b", "2020-01-01"], "had no version yet"),
    ],
)
def test_diff_that_cannot_be_is_2(configured: Site, arguments: list[str], message: str) -> None:
    publish(configured, "a/b", BEFORE)
    publish(configured, "a/b", AFTER)
    result = call("diff", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_rollback_and_the_command_that_undoes_it(configured: Site) -> None:
    old = publish(configured, "a/b", "select 1 as n")
    bad = publish(configured, "a/b", "select 2 as n")
    arguments = ("--reason", "wrong", "--by", "ada", "--without-dagster")
    result = call("rollback", "a/b", "previous", *arguments)
    assert result.exit_code == 0
    assert configured.body(KEY) == configured.body(KEY, old)
    undo = result.stdout.splitlines()[-1].strip()
    assert undo == f"extract rollback a/b {bad} --reason 'undo'"
    new = configured.version_ids(KEY)[0]
    uri = f"s3://{configured.data.bucket}/{KEY}?versionId={new}"
    traced = call("trace", uri).stdout
    assert f"version {old}" in traced
    assert "by ada" in traced
    assert "select 1 as n" in traced
    assert json.loads(call("trace", uri, "--json").stdout)["restored"]["restored_from"] == old
    assert f"from {old} by ada: wrong" in call("versions", "a/b").stdout
    again = call("rollback", "a/b", old, *arguments)
    assert again.exit_code == 2
    assert "is current already" in again.output


def test_rollback_where_no_dagster_answers_names_the_other_way(
    configured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT_DAGSTER_URL", "http://127.0.0.1:9")
    old = publish(configured, "a/b", "select 1 as n")
    publish(configured, "a/b", "select 2 as n")
    result = call("rollback", "a/b", old, "--reason", "wrong")
    assert result.exit_code == 2
    assert "no Dagster answers at http://127.0.0.1:9" in result.output
    assert "--without-dagster" in result.output


def test_get_as_of_a_time(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", "select 1 as n")
    moment = await_next_second()
    publish(configured, "a/b", "select 2 as n")
    file = tmp_path / "b.parquet"
    assert "verified" in call("get", "a/b", "--as-of", moment.isoformat(), "-o", file).output
    assert pq.read_table(file)["n"].to_pylist() == [1]
    assert "had no version yet" in call("get", "a/b", "--as-of", "1h", "-o", file).output
    assert "is not a time" in call("get", "a/b", "--as-of", "yesterday").output
