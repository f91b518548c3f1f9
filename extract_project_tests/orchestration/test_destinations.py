"""An extract that is published in another bucket than EXTRACT_DATA."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster import DagsterInstance

from extract_project.catalog.build import build_catalog, keep_catalog
from extract_project.catalog.recipes import recipes
from extract_project.catalog.tables import table_of
from extract_project.deployment.rollback import rollback_config
from extract_project.history.versions import published_partitions
from extract_project.manifest.bucket import read_manifest
from extract_project.publish.rollback import Order
from extract_project.published import open_published
from extract_project.settings import Settings, load_settings
from extract_project.store.folder import Folder, Location
from extract_project_tests.conftest import Site
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.commands import call
from extract_project_tests.support.destinations import another_bucket, settings_with, versions
from extract_project_tests.support.executing import definitions, execute, materialization

CRM = "/*---\nto: CRM\nunchanged: publish\n---*/\nselect n from range({rows}) t(n)"


@pytest.fixture
def crm(site: Site, buckets: Buckets) -> Iterator[Folder]:
    """Another bucket, with the prefix of the data, so that keys are equal in both."""
    with another_bucket(site, buckets, site.data.prefix) as folder:
        yield folder


@pytest.fixture
def settings(site: Site, crm: Folder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return settings_with(crm, site, monkeypatch)


def test_it_is_published_there_and_nowhere_else(
    site: Site, crm: Folder, settings: Settings
) -> None:
    site.put_sql("a/b", CRM.format(rows=3))

    @dg.asset(ins={"rows": dg.AssetIn(key=["a", "b"])})
    def reader(rows: pa.Table) -> None:
        assert rows.num_rows == 3

    with DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings, reader), instance, "a/b", "reader").success
        metadata = materialization(instance, "a/b").metadata
    (version,) = versions(crm, "a/b.parquet")
    assert metadata["dagster/uri"].value == f"{crm.uri}/a/b.parquet?versionId={version}"
    assert versions(site.data, "a/b.parquet") == []
    receipts = [each.key for each in site.state.store.list(site.state.key("destinations/crm/"))]
    assert len(receipts) == 1
    assert list(crm.store.list(crm.key(".extract"))) == []
    assert open_published(crm.uri, "a/b", s3=site.s3).read_all().num_rows == 3


def test_what_reads_and_undoes_versions_knows_where_they_are(
    site: Site, crm: Folder, settings: Settings
) -> None:
    with DagsterInstance.ephemeral() as instance:
        for rows in (3, 5):
            site.put_sql("a/b", CRM.format(rows=rows))
            defs = definitions(site, settings)
            assert execute(defs, instance, "a/b").success
        newer, older = versions(crm, "a/b.parquet")
        listed = json.loads(call("versions", "a/b", "--json").stdout)
        assert [each["version_id"] for each in listed] == [newer, older]
        assert listed[0]["rows_change"] == 2
        assert "2 rows removed" in call("diff", "a/b", newer, older).stdout
        traced = call("trace", f"{crm.uri}/a/b.parquet?versionId={older}", "--json")
        assert json.loads(traced.stdout)["rows"] == 3
        config = rollback_config("a/b", None, Order(older, "two too many", "ada"))
        job = defs.resolve_job_def("rollback_extract")
        assert job.execute_in_process(run_config=config, instance=instance).success
    assert len(versions(crm, "a/b.parquet")) == 3
    undone = call("rollback", "a/b", newer, "--reason", "no", "--without-dagster")
    assert undone.exit_code == 0, undone.output
    pruned = call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--yes", "--json")
    assert {each["bucket"] for each in json.loads(pruned.stdout)} == {crm.bucket}
    assert len(versions(crm, "a/b.parquet")) == 1
    assert versions(site.data, "a/b.parquet") == []


def test_equal_keys_of_two_destinations_do_not_mix(
    site: Site, crm: Folder, settings: Settings
) -> None:
    """The header's `to` is changed: what was published before stays, with its receipts."""
    with DagsterInstance.ephemeral() as instance:
        site.put_sql("a/b", CRM.format(rows=3).replace("CRM", "data"))
        assert execute(definitions(site, settings), instance, "a/b").success
        site.put_sql("a/b", CRM.format(rows=7))
        assert execute(definitions(site, settings), instance, "a/b").success
    (old,), (new,) = versions(site.data, "a/b.parquet"), versions(crm, "a/b.parquet")
    rows = {}
    for folder, version in ((site.data, old), (crm, new)):
        uri = f"{folder.uri}/a/b.parquet?versionId={version}"
        rows[folder.bucket] = json.loads(call("trace", uri, "--json").stdout)["rows"]
    assert rows == {site.data.bucket: 3, crm.bucket: 7}


def test_an_unknown_destination_is_an_invalid_extract(site: Site, settings: Settings) -> None:
    site.put_sql("a/b", CRM.format(rows=3).replace("CRM", "crn"))
    site.put_sql("a/c", "select 1 as one")
    snapshot = read_manifest(site.manifest, settings.dialects)
    (invalid,) = snapshot.invalid
    assert invalid.reasons == ["a/b.sql:2:1: unknown destination 'crn': did you mean 'crm'?"]
    assert [each.path for each in snapshot.extracts] == ["a/c"]


def test_a_bucket_there_without_versions_fails_the_run(
    site: Site, crm: Folder, settings: Settings
) -> None:
    site.s3.put_bucket_versioning(
        Bucket=crm.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    site.put_sql("a/b", CRM.format(rows=3))
    with DagsterInstance.ephemeral() as instance:
        run = execute(definitions(site, settings), instance, "a/b")
    assert not run.success
    (failed,) = [each for each in run.all_events if each.is_step_failure]
    assert f"put-bucket-versioning --bucket {crm.bucket}" in str(failed.step_failure_data.error)
    found = json.loads(call("doctor", "--json").stdout)
    red = [each["subject"] for each in found if not each["ok"]]
    assert red == ["crm: versioning", "dagster", "schedules and sensors"]


def test_the_catalogue_shows_where_it_is(
    site: Site, crm: Folder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put_sql("a/b", CRM.format(rows=3))
    site.put_sql("a/c", "select 1 as one")
    with DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings), instance, "a/b", "a/c").success
    folders = settings.connect()
    snapshot = read_manifest(site.manifest, settings.dialects)
    catalog = keep_catalog(folders, snapshot)
    there, here = catalog.extracts
    assert (there.destination, there.folder, there.uri) == (
        *("crm", crm.uri),
        f"{crm.uri}/a/b.parquet",
    )
    assert (here.destination, here.folder) == ("data", "")
    assert there.published
    assert there.published.versions[0].rows == 3
    texts = [each.text for each in recipes(there, catalog.data)]
    assert any(f'open_published("{crm.uri}", "a/b")' in text for text in texts)
    table = table_of(there, catalog.data)
    key = f"{Location.parse(table.object_list).prefix}/objects.txt"
    listed = crm.store.read(key).body.decode()
    assert listed == there.uri
    assert crm.bucket in call("ddl", "a/b", "--for", "athena").stdout
    # A bucket of others that does not answer costs its own extracts their news alone.
    monkeypatch.setenv("EXTRACT_DESTINATIONS__CRM__URL", "s3://no-such-bucket/x")
    found: Any = build_catalog(load_settings().connect(), snapshot, catalog, ["a/b", "a/c"])
    assert found.extracts[0].published == there.published
    assert found.extracts[1].published is not None


NAMED = """/*---
to: crm
format: csv
path: "outbound/{partition:%Y}/orders_{partition:%d%m%Y}.csv.gz"
partitions: {type: daily, start: 2026-01-01}
unchanged: publish
---*/
select n, :partition_key as day from range(ROWS) t(n)"""


def test_partitions_with_names_of_their_own(site: Site, crm: Folder, settings: Settings) -> None:
    days = ("2025-12-31", "2026-01-02", "2026-01-30")
    site.put_sql("a/b", NAMED.replace("ROWS", "3").replace("2026-01-01", "2025-12-01"))
    with DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        for day in days:
            assert execute(defs, instance, "a/b", partition=day).success
        site.put_sql("a/b", NAMED.replace("ROWS", "5").replace("2026-01-01", "2025-12-01"))
        assert execute(definitions(site, settings), instance, "a/b", partition=days[1]).success
    keys = sorted({each.key for each in crm.store.list(crm.key("outbound/"))})
    assert keys == [
        crm.key("outbound/2025/orders_31122025.csv.gz"),
        crm.key("outbound/2026/orders_02012026.csv.gz"),
        crm.key("outbound/2026/orders_30012026.csv.gz"),
    ]
    snapshot = read_manifest(site.manifest, settings.dialects)
    (extract,) = snapshot.extracts
    assert published_partitions(crm, extract) == list(days)
    folders = settings.connect()
    catalog = keep_catalog(folders, snapshot)
    (entry,) = catalog.extracts
    assert entry.uri == f"{crm.uri}/outbound/*/orders_*.csv.gz"
    assert entry.published
    assert [each.partition for each in entry.published.versions] == list(reversed(days))
    assert keep_catalog(folders, snapshot).extracts[0].published == entry.published
    text = next(each.text for each in recipes(entry, catalog.data) if "open_published" in each.text)
    assert f'open_published("{crm.uri}", "outbound/2026/orders_30012026.csv.gz")' in text
    receipts = f"{site.state.uri}/destinations/crm"
    read = open_published(
        crm.uri, "outbound/2026/orders_02012026.csv.gz", state=receipts, s3=site.s3
    )
    assert read.read_all().num_rows == 5
    listed = call("versions", "a/b", "--partition", "2026-01-02", "--json")
    newer, older = (each["version_id"] for each in json.loads(listed.stdout))
    undone = call(
        *("rollback", "a/b", older, "--partition", "2026-01-02"),
        *("--reason", "no", "--without-dagster"),
    )
    assert undone.exit_code == 0, undone.output
    refused = call("versions", "a/b", "--partition", "yesterday")
    assert "a/b has no partition 'yesterday'" in refused.output
    athena = call("ddl", "a/b", "--for", "athena")
    assert "are named by its 'path', and not partition=…" in athena.output
    pruned = call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--yes", "--json")
    assert {each["version_id"] for each in json.loads(pruned.stdout)} == {newer, older}


def test_parts_in_a_folder_of_their_own(site: Site, crm: Folder, settings: Settings) -> None:
    text = CRM.replace("to: CRM", "to: crm\npath: outbound/orders\nsplit: {{rows: 2}}")
    with DagsterInstance.ephemeral() as instance:
        for rows in (5, 3):
            site.put_sql("a/b", text.format(rows=rows))
            assert execute(definitions(site, settings), instance, "a/b").success
    assert open_published(crm.uri, "outbound/orders", s3=site.s3).read_all().num_rows == 3
    keys = {each.key for each in crm.store.list(crm.key("outbound/"))}
    names = ("_manifest.json", "part-00000.parquet", "part-00001.parquet")
    assert keys == {crm.key(f"outbound/orders/{name}") for name in names}
    part = f"{crm.uri}/outbound/orders/part-00000.parquet"
    assert json.loads(call("trace", part, "--json").stdout)["rows"] == 3
    pruned = call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--yes", "--json")
    kinds = [each["kind"] for each in json.loads(pruned.stdout)]
    assert kinds.count("version") == 1
    assert kinds.count("part") == 3
    assert open_published(crm.uri, "outbound/orders", s3=site.s3).read_all().num_rows == 3


def test_the_object_of_a_file_that_became_invalid_is_not_replaced(
    site: Site, settings: Settings
) -> None:
    text = "/*---\npath: out/orders.parquet\n---*/\nselect {} as i"
    with DagsterInstance.ephemeral() as instance:
        site.put_sql("a/first", text.format(1))
        assert execute(definitions(site, settings), instance, "a/first").success
        kept = versions(site.data, "out/orders.parquet")
        site.put_sql("a/first", text.format("1 +"))
        site.put_sql("a/second", text.format(2))
        result = execute(definitions(site, settings), instance, "a/second")
        assert not result.success
        (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
        told = failure.step_failure_data.user_failure_data
        assert told is not None
        assert "a/first.sql published the current version of" in str(told.description)
        assert versions(site.data, "out/orders.parquet") == kept

        site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/first.sql"))
        assert execute(definitions(site, settings), instance, "a/second").success
    assert len(versions(site.data, "out/orders.parquet")) == 2
