"""One extract that is published at several destinations, in one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import DagsterEventType, DagsterInstance

from extract_project.catalog.build import keep_catalog
from extract_project.deployment.rollback import rollback_config
from extract_project.publish.rollback import Order
from extract_project.published import open_published
from extract_project.settings import Settings, load_settings
from extract_project.store.folder import Folder
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import fault_proxy
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.commands import call
from extract_project_tests.support.destinations import another_bucket, settings_with, versions
from extract_project_tests.support.executing import definitions, execute, materialization

BOTH = "/*---\nto: [data, crm]\n{more}\n---*/\nselect n from range({rows}) t(n)"


@pytest.fixture
def crm(site: Site, buckets: Buckets) -> Iterator[Folder]:
    with another_bucket(site, buckets) as folder:
        yield folder


@pytest.fixture
def settings(site: Site, crm: Folder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return settings_with(crm, site, monkeypatch)


def keep_versions(site: Site, folder: Folder, status: str) -> None:
    configuration = {"Status": status}
    site.s3.put_bucket_versioning(Bucket=folder.bucket, VersioningConfiguration=configuration)  # type: ignore[arg-type]


def test_one_run_publishes_at_both_and_shows_each(
    site: Site, crm: Folder, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    site.put_sql("a/b", BOTH.format(rows=3, more=""))
    with DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        assert execute(defs, instance, "a/b").success
        shown = materialization(instance, "a/b").metadata
    (here,), (there,) = versions(site.data, "a/b.parquet"), versions(crm, "a/b.parquet")
    table = str(shown["destinations"].value)
    assert f"| data | {site.data.uri}/a/b.parquet?versionId={here} | published |" in table
    assert f"| crm | {crm.uri}/a/b.parquet?versionId={there} | published |" in table
    assert shown["s3_version_id"].value == here
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    told = {each["destination"]: each for each in logged if each["event"] == "published_at"}
    assert {name: each["version_id"] for name, each in told.items()} == {"data": here, "crm": there}
    spec = next(iter(defs.resolve_asset_graph().asset_nodes))
    assert spec.metadata["published_as"] == f"{site.data.uri}/a/b.parquet, {crm.uri}/a/b.parquet"
    for folder in (site.data, crm):
        assert open_published(folder.uri, "a/b", s3=site.s3).read_all().num_rows == 3


@pytest.mark.parametrize(
    "more",
    ["", "split: {rows: 2}", "partitions: {type: daily, start: 2026-01-01}"],
    ids=["one object", "split", "partitions"],
)
def test_one_that_fails_takes_nothing_back_and_a_rerun_publishes_there_alone(
    site: Site, crm: Folder, settings: Settings, more: str
) -> None:
    day = "2026-01-02" if "partitions" in more else None
    path = {
        "": "a/b.parquet",
        "split: {rows: 2}": "a/b/_manifest.json",
    }.get(more, "a/b/partition=2026-01-02/b.parquet")
    retries = "retries: {max: 0}"
    text = BOTH.format(rows=3, more=f"{retries}\n{more}")
    site.put_sql("a/b", text.replace("select n", "select :partition_key, n") if day else text)
    keep_versions(site, crm, "Suspended")
    with DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        run = execute(defs, instance, "a/b", partition=day)
        assert not run.success
        (here,) = versions(site.data, path)
        assert versions(crm, path) == []
        (failed,) = [each for each in run.all_events if each.is_step_failure]
        data = failed.step_failure_data.user_failure_data
        assert data is not None
        told = str(data.description)
        assert "not published at destination 'crm': " in told
        assert f"put-bucket-versioning --bucket {crm.bucket}" in told
        assert (
            f"destination 'data' has this result: {site.data.uri}/{path}?versionId={here}" in told
        )
        assert "destination 'crm' does not have it: nothing is published there" in told
        assert "extract rerun --failed" in told
        assert instance.get_latest_materialization_event(dg.AssetKey(["a", "b"])) is None
        observed = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.ASSET_OBSERVATION
        )
        (record,) = observed.records
        observation = record.event_log_entry.asset_observation
        assert observation is not None
        assert here in str(observation.metadata["destinations"].value)
        assert observation.partition == day

        keep_versions(site, crm, "Enabled")
        assert execute(defs, instance, "a/b", partition=day).success
        assert versions(site.data, path) == [here]
        (there,) = versions(crm, path)
        table = str(materialization(instance, "a/b").metadata["destinations"].value)
    assert f"versionId={here} | unchanged |" in table
    assert f"versionId={there} | published |" in table


def test_a_refused_result_is_published_nowhere(site: Site, crm: Folder, settings: Settings) -> None:
    site.put_sql("a/b", BOTH.format(rows=3, more="checks:\n- max_rows: 2"))
    with DagsterInstance.ephemeral() as instance:
        run = execute(definitions(site, settings), instance, "a/b")
    (failed,) = [each for each in run.all_events if each.is_step_failure]
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert "destination 'crm': nothing has been published under this key yet" in str(
        data.description
    )
    for folder in (site.data, crm):
        assert versions(folder, "a/b.parquet") == []
        assert list(folder.store.abandoned(folder.key(""))) == []


def test_an_object_of_another_sql_file_is_left_alone_there(
    site: Site, crm: Folder, settings: Settings
) -> None:
    text = "/*---\nto: {to}\npath: out/orders.parquet\nretries: {{max: 0}}\n---*/\nselect {n} as i"
    with DagsterInstance.ephemeral() as instance:
        site.put_sql("a/first", text.format(to="crm", n=1))
        assert execute(definitions(site, settings), instance, "a/first").success
        site.put_sql("a/first", text.format(to="crm", n="1 +"))
        site.put_sql("a/second", text.format(to="[data, crm]", n=2))
        run = execute(definitions(site, settings), instance, "a/second")
    assert not run.success
    assert [len(versions(each, "out/orders.parquet")) for each in (site.data, crm)] == [1, 1]
    (failed,) = [each for each in run.all_events if each.is_step_failure]
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert "'crm': " in str(data.description)
    assert "a/first.sql published the current version of" in str(data.description)


def test_commands_are_about_the_first_destination_or_the_one_that_they_name(
    site: Site, crm: Folder, settings: Settings, tmp_path: Path
) -> None:
    with DagsterInstance.ephemeral() as instance:
        site.put_sql("a/b", BOTH.format(rows=3, more=""))
        assert execute(definitions(site, settings), instance, "a/b").success
        site.put_sql("a/b", BOTH.format(rows=5, more=""))
        defs = definitions(site, settings)
        assert execute(defs, instance, "a/b").success
        here, there = versions(site.data, "a/b.parquet"), versions(crm, "a/b.parquet")
        assert (len(here), len(there)) == (2, 2)

        default = call("versions", "a/b", "--json")
        assert [each["version_id"] for each in json.loads(default.stdout)] == here
        assert "at destination data, the first of its own; --to crm" in default.stderr
        named = call("versions", "a/b", "--to", "CRM", "--json")
        assert [each["version_id"] for each in json.loads(named.stdout)] == there
        assert "at destination" not in named.stderr
        unknown = call("versions", "a/b", "--to", "crn")
        assert "a/b is not published at 'crn': did you mean 'crm'?" in unknown.output

        assert "2 rows added" in call("diff", "a/b", there[1], there[0], "--to", "crm").output
        got = call(
            "get", "a/b", "--to", "crm", "--version", there[1], "-o", tmp_path / "old.parquet"
        )
        assert got.exit_code == 0, got.output
        assert pq.read_metadata(tmp_path / "old.parquet").num_rows == 3
        assert call("pin", "a/b", here[1], "--reason", "x", "--to", "crm").exit_code != 0
        traced = call("trace", f"{crm.uri}/a/b.parquet?versionId={there[1]}", "--json")
        assert json.loads(traced.stdout)["rows"] == 3

        config = rollback_config("a/b", None, Order(there[1], "two too many", "ada"), to="crm")
        job = defs.resolve_job_def("rollback_extract")
        assert job.execute_in_process(run_config=config, instance=instance).success
        # The data of the asset is that of its first destination: nothing downstream has to run.
        assert materialization(instance, "a/b").metadata["s3_version_id"].value == here[0]
    assert versions(site.data, "a/b.parquet") == here
    assert open_published(crm.uri, "a/b", s3=site.s3).read_all().num_rows == 3
    assert open_published(site.data.uri, "a/b", s3=site.s3).read_all().num_rows == 5
    (newest, *_) = versions(crm, "a/b.parquet")
    undone = call("rollback", "a/b", there[0], "--to", "crm", "--reason", "no", "--without-dagster")
    assert undone.exit_code == 0, undone.output
    assert f"extract rollback a/b {newest} --to crm --reason 'undo'" in undone.stdout

    told = call("show", "a/b", "--json")
    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout)["destinations"]
    assert [each["destination"] for each in shown] == ["data", "crm"]
    assert shown[0]["version_id"] == here[0]
    (entry,) = keep_catalog(settings.connect(), site.snapshot()).extracts
    assert entry.also == {"crm": f"{crm.uri}/a/b.parquet"}
    pruned = call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--yes", "--json")
    assert {each["bucket"] for each in json.loads(pruned.stdout)} == {site.data.bucket, crm.bucket}
    assert [len(versions(each, "a/b.parquet")) for each in (site.data, crm)] == [1, 1]


def test_a_downstream_asset_can_read_another_destination_than_the_first(
    site: Site, crm: Folder, settings: Settings
) -> None:
    site.put_sql("a/b", BOTH.format(rows=3, more=""))

    @dg.asset(ins={"rows": dg.AssetIn(key=["a", "b"], metadata={"to": "crm"})})
    def reader(rows: pa.Table) -> None:
        assert rows.num_rows == 3

    with DagsterInstance.ephemeral() as instance:
        run = execute(definitions(site, settings, reader), instance, "a/b", "reader")
        assert run.success
        (loaded,) = [e for e in run.all_events if e.event_type_value == "LOADED_INPUT"]
    assert crm.uri in str(loaded.event_specific_data)


@pytest.mark.parametrize("server", ["ministack"], indirect=True)  # it takes any key
@pytest.mark.parametrize("more", ["", "split: {rows: 2}"], ids=["one object", "split"])
def test_each_is_encrypted_with_the_key_of_its_own(
    site: Site, crm: Folder, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    ours, theirs = (f"arn:aws:kms:eu-central-1:{n}:key/8c1b5f6e-0000" for n in (1, 2))
    site.put_sql("a/b", BOTH.format(rows=3, more=more))
    with fault_proxy(site.server.endpoint) as proxy, proxy.choosing(lambda _: None):
        for name, value in {
            **site.environment,
            "AWS_ENDPOINT_URL_S3": proxy.endpoint,
            "EXTRACT_KMS_KEY_ID": ours,
            "EXTRACT_DESTINATIONS__CRM__URL": crm.uri,
            "EXTRACT_DESTINATIONS__CRM__KMS_KEY_ID": theirs,
        }.items():
            monkeypatch.setenv(name, value)
        with DagsterInstance.ephemeral() as instance:
            execute(definitions(site, load_settings()), instance, "a/b")
        created = [r for r in proxy.seen if r.operation in {"PutObject", "CreateMultipartUpload"}]
    keys = {(each.bucket, each.kms_key_id) for each in created}
    assert keys == {(site.data.bucket, ours), (crm.bucket, theirs)}
