"""Commands that launch a run of Dagster's, and what they say of it."""

from __future__ import annotations

import json

import pytest
from dagster import DagsterInstance

from extract_project_tests.support.commands import valid
from extract_project_tests.support.executing import materialization
from extract_project_tests.support.installation import DuckDBFile, Installation

pytestmark = pytest.mark.slow

RESTORED = "/*---\npartitions: [eu, us]\n---*/\nselect :partition_key as region, {} as n"
FILES = {
    "commands/released": (
        "/*---\nwarehouse: file\npartitions: [eu, us]\nchecks: [unique: n]\n---*/\n"
        "select n from regions where region = :partition_key"
    ),
    "commands/restored": RESTORED.format(1),
    "commands/whole": "select 1 as n",
    "commands/backfilled": (
        "/*---\npartitions: {type: daily, start: 2026-01-01, end: 2026-01-05}\n---*/\n"
        "select case when :partition_key = '2026-01-03' then error('no such day') else 1 end as n"
    ),
}


def test_a_release_is_of_the_latest_refusal(installed: Installation, file: DuckDBFile) -> None:
    path = "commands/released"
    file.execute("create table regions as select 'eu' as region, 1 as n from range(2)")
    arguments = ("release", path, "--reason", "meant", "--by", "ada")
    assert "was not refused" in installed.call(*arguments).stderr
    refused = installed.call("run", path, "--partition", "eu", "--json")
    told = valid("run", refused.stdout)
    assert (refused.exit_code, told["outcome"], told["partition"]) == (1, "refused", "eu")
    (extract,) = told["extracts"]
    assert (extract["extract"], extract["outcome"], extract["cause"]) == (
        *(path, "refused"),
        "audit refused",
    )
    assert "n unique: broken" in extract["failure_report"]
    assert extract["version_id"] is None
    assert installed.deployment.run(told["run_id"], {}).status == "FAILURE"

    again = installed.call("rerun", path, "--yes", "--json")
    (rerun,) = valid("rerun", again.stdout)["runs"]
    assert (again.exit_code, rerun["outcome"], rerun["partition"]) == (1, "refused", "eu")
    assert rerun["url"] == f"{installed.server.url}/runs/{rerun['run_id']}"

    done = installed.call(*arguments, "--partition", "eu", "--json")
    assert (done.exit_code, "n unique: broken" in done.stderr) == (0, True), done.stderr
    released = valid("release", done.stdout)
    assert (released["outcome"], released["by"]) == ("succeeded", "ada")
    assert released["released_run_id"] == rerun["run_id"]
    (extract,) = released["extracts"]
    key = f"extracts/{path}/partition=eu/released.parquet"
    assert [extract["version_id"]] == installed.site.version_ids(key)
    assert (extract["rows"], extract["result"]) == (2, "published as a new version")
    sql = installed.site.s3.head_object(
        Bucket=installed.site.manifest.bucket, Key=f"sql/{path}.sql"
    )
    assert extract["sql_version"] == sql["VersionId"]
    nothing = installed.call("rerun", "--failed", "--group", "commands", "--json")
    assert (nothing.exit_code, valid("rerun", nothing.stdout)) == (0, {"runs": [], "invalid": []})
    uri = f"s3://{installed.site.data.bucket}/extracts/{path}/partition=eu/released.parquet"
    traced = installed.call("trace", uri).stdout
    assert "by ada, although unique_n failed" in traced
    assert installed.call("failed", "--group", "commands").exit_code == 0


def test_a_rollback_is_of_one_partition(installed: Installation) -> None:
    path = "commands/restored"
    assert installed.run(path, partition="eu").status == "SUCCESS"
    key = f"extracts/{path}/partition=eu/restored.parquet"
    (old,) = installed.site.version_ids(key)
    installed.site.put_sql(path, RESTORED.format(2))
    installed.deployment.reload()
    assert installed.run(path, partition="eu").status == "SUCCESS"
    bad = installed.site.version_ids(key)[0]
    arguments = ("--partition", "eu", "--reason", "wrong")
    done = installed.call("rollback", path, old, *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"extract rollback {path} {bad} --partition eu --reason 'undo'" in done.stdout
    assert installed.site.body(key) == installed.site.body(key, old)
    listed = json.loads(installed.call("versions", path, "--partition", "eu", "--json").stdout)
    assert listed[0]["restored_from"] == old
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        event = materialization(instance, path)
    assert event.partition == "eu"
    assert event.metadata["restored_from"].value == old
    current = installed.site.version_ids(key)[0]
    refused = installed.call("rollback", path, old, *arguments, "--json")
    told = valid("rollback", refused.stdout)
    assert (refused.exit_code, told["version_id"]) == (1, None)
    assert "is current already" in told["failure_report"]
    undone = installed.call("rollback", path, bad, *arguments, "--json")
    told = valid("rollback", undone.stdout)
    assert (undone.exit_code, told["restored_from"], told["replaced"]) == (0, bad, current)
    assert told["version_id"] == installed.site.version_ids(key)[0]


def test_a_backfill_runs_what_is_missing(installed: Installation) -> None:
    path = "commands/backfilled"
    assert "give --from" in installed.call("backfill", path).stderr
    unknown = installed.call("backfill", path, "--from", "2027-01-01").stderr
    assert "no partition '2027-01-01' that is over" in unknown
    unpartitioned = installed.call("backfill", "commands/whole", "--all").stderr
    assert "commands/whole has no partitions: run it with extract run" in unpartitioned
    swapped = installed.call("backfill", path, "--from", "2026-01-02", "--to", "2026-01-01")
    assert "swap them" in swapped.stderr

    assert installed.run(path, partition="2026-01-02").status == "SUCCESS"
    done = installed.call("backfill", path, "--missing", "--to", "2026-01-03", "--json")
    told = valid("backfill", done.stdout)
    assert (done.exit_code, told["outcome"]) == (1, "failed"), done.stderr
    assert "2 partitions, 2026-01-01 to 2026-01-03" in done.stderr
    assert [(each["partition"], each["outcome"]) for each in told["partitions"]] == [
        ("2026-01-01", "succeeded"),
        ("2026-01-03", "failed"),
    ]
    failed = told["partitions"][1]["run_id"]
    run = installed.deployment.run(failed, {})
    assert (run.status, run.partition) == ("FAILURE", "2026-01-03")
    listed = valid("runs", installed.call("runs", path, "--json").stdout)["runs"]
    assert (failed, "2026-01-03", "backfill") in [
        (each["run_id"], each["partition"], each["cause"]) for each in listed
    ]
    key = f"extracts/{path}/partition={{}}/backfilled.parquet"
    days = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
    versions = [len(installed.site.version_ids(key.format(day))) for day in days]
    assert versions == [1, 1, 0, 0]
    nothing = installed.call("backfill", path, "--missing", "--to", "2026-01-02", "--json")
    assert (nothing.exit_code, valid("backfill", nothing.stdout)["partitions"]) == (0, [])
    plain = installed.call("run", path)
    assert "extract backfill" in plain.stderr
