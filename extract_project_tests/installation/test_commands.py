"""Commands that launch a run of Dagster's, and what they say of it."""

from __future__ import annotations

import json

import pytest
from dagster import DagsterInstance

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
}


def test_a_release_is_of_the_latest_refusal(installed: Installation, file: DuckDBFile) -> None:
    path = "commands/released"
    file.execute("create table regions as select 'eu' as region, 1 as n from range(2)")
    arguments = ("release", path, "--reason", "meant", "--by", "ada")
    assert "was not refused" in installed.call(*arguments).stderr
    assert installed.run(path, partition="eu").status == "FAILURE"
    done = installed.call(*arguments, "--partition", "eu")
    assert (done.exit_code, "n unique: broken" in done.stderr) == (0, True), done.stderr
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
    refused = installed.call("rollback", path, old, *arguments)
    assert refused.exit_code == 1
    assert "is current already" in refused.stdout
