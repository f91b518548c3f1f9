"""A code location for each of two teams, in one workspace."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from extract_project.cli.main import main
from extract_project.cli.schema import answer_schema
from extract_project.deployment.client import Deployment
from extract_project.embedded.s3_server import S3Server
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.graphql import graphql
from extract_project_tests.support.several_locations import CodeServer, Several, several
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.slow

_SECONDS = 120
_DAILY = "/*---\npartitions: {type: daily, start: 2026-01-01}\n---*/\nselect :partition_key as day"
_OWN = "extract_project_tests.support.own_definitions"
_GRAPH = """{ assetNodes(assetKeys: [{path: ["own", "report"]}]) {
  dependencyKeys { path } } }"""


@dataclass(frozen=True)
class Teams:
    """Two teams: `sales`, which has the bucket's folder sales-sql, and `crm` with crm-sql."""

    sales: Site
    crm: Site
    running: Several

    def call(self, *arguments: str, location: str | None = None) -> Result:
        """Run the command as somebody of the sales team."""
        environment: dict[str, str | None] = {
            **self.sales.environment,
            "EXTRACT_DAGSTER_URL": self.running.url,
            "EXTRACT_LOCATION": location,
        }
        return CliRunner().invoke(main, list(arguments), env=environment)

    def answer(self, *arguments: str) -> dict[str, dict[str, str]]:
        """What a command says with --json, as its schema has it, by extract."""
        answer = json.loads(self.call(*arguments, "--json").stdout)
        Draft202012Validator(answer_schema(arguments[0])).validate(answer)
        return {each["extract"]: each for each in answer["extracts"]}


@pytest.fixture(scope="module")
def teams(
    module_aws: S3Server, buckets: Buckets, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Teams]:
    s3 = connect()
    with buckets.lent(s3, "manifest") as manifest, buckets.lent(s3, "data") as data:
        sales, crm = (
            Site.of(module_aws, s3, Location(manifest, name), Location(data, "extracts"))
            for name in ("sales-sql", "crm-sql")
        )
        sales.put_sql("sales/orders", "select 1 as a")
        sales.put_sql("sales/bad", "select error('no such day') as a")
        sales.put_sql("sales/feed", "select 'fed' as word")
        sales.put_sql("both/customers", "select 'of sales' as a")
        crm.put_sql("crm/customers", "select 2 as a")
        crm.put_sql("crm/bad", "select error('no such team') as a")
        crm.put_sql("crm/daily", _DAILY)
        crm.put_sql("crm/fed", "/*---\ndepends_on: sales/feed\n---*/\nselect 'fed' as word")
        crm.put_sql("both/customers", "select 'of crm' as a")
        servers = (
            CodeServer("sales", sales.environment),
            CodeServer(
                "crm",
                {**crm.environment, "EXTRACT_UPSTREAM_MANIFESTS": sales.manifest.uri},
                _OWN,
            ),
        )
        with several(tmp_path_factory.mktemp("dagster"), servers) as running:
            yield Teams(sales, crm, running)


@pytest.mark.soak
def test_commands_use_the_location_that_has_the_extract(teams: Teams) -> None:
    ran = teams.call("run", "sales/orders")
    assert ran.exit_code == 0, ran.output
    ran = teams.call("run", "crm/customers")
    assert ran.exit_code == 0, ran.output
    assert teams.call("run", "sales/bad").exit_code == 1
    for path in ("sales/orders", "crm/customers"):
        assert len(teams.sales.version_ids(f"extracts/{path}.parquet")) == 1
    assert "no such day" in teams.call("logs", "sales/bad").stdout
    assert "crm/customers is fine" in teams.call("why", "crm/customers").stdout

    two = teams.call("run", "both/customers")
    assert two.exit_code == 2
    assert "crm has both/customers; sales has both/customers" in two.stderr
    assert "EXTRACT_LOCATION" in two.stderr
    apart = teams.call("run", "sales/orders", "crm/customers")
    assert "crm has crm/customers; sales has sales/orders" in apart.stderr
    assert "did you mean 'crm/customers'?" in teams.call("why", "crm/custmers").stderr
    assert teams.call("run", "both/customers", location="crm").exit_code == 0
    assert b"of crm" in teams.sales.body("extracts/both/customers.parquet")


def test_status_and_failed_show_all_locations(teams: Teams) -> None:
    teams.call("run", "sales/bad")
    states = teams.answer("status")
    assert states["crm/customers"]["location"] == "crm"
    assert (states["sales/bad"]["location"], states["sales/bad"]["state"]) == ("sales", "failed")
    shown = teams.call("status").stdout
    assert "location" in shown
    assert "both/customers is in crm and sales" in shown
    one = teams.call("status", location="crm").stdout
    assert "location" not in one
    assert "sales/bad" not in one
    told = json.loads(teams.call("failed", "--json").stdout)
    assert [(each["extract"], each["location"]) for each in told["failed"]] == [
        ("sales/bad", "sales")
    ]
    assert told["locations"] == ["crm", "sales"]


@pytest.mark.soak
@pytest.mark.soak
def test_what_failed_runs_again_in_the_location_that_has_it(teams: Teams) -> None:
    for path in ("sales/bad", "crm/bad"):
        teams.call("run", path)
    teams.sales.put_sql("sales/bad", "select 1 as a")
    teams.crm.put_sql("crm/bad", "select 2 as a")
    again = teams.call("rerun", "--failed", "--json")
    assert again.exit_code == 0, again.output
    answer = json.loads(again.stdout)
    Draft202012Validator(answer_schema("rerun")).validate(answer)
    ran = {each["extract"]: each["outcome"] for run in answer["runs"] for each in run["extracts"]}
    assert ran == {"sales/bad": "succeeded", "crm/bad": "succeeded"}
    assert len(teams.sales.version_ids("extracts/crm/bad.parquet")) == 1
    assert "did not fail at its latest attempt" in teams.call("rerun", "crm/bad").stderr


def test_a_partition_of_an_extract_in_another_manifest(teams: Teams) -> None:
    ran = teams.call("run", "crm/daily", "--partition", "2026-01-02")
    assert ran.exit_code == 0, ran.output
    assert teams.sales.version_ids("extracts/crm/daily/partition=2026-01-02/daily.parquet")


def test_doctor_looks_at_all_locations(teams: Teams) -> None:
    findings = json.loads(teams.call("doctor", "--json").stdout)
    found = {each["subject"]: each for each in findings}
    assert "both/customers is in crm and sales" in found["code locations"]["detail"]
    assert found["schedules and sensors of crm"]["ok"]
    assert {"sales loaded", "crm loaded"} == {
        name
        for each in findings
        for name in ("sales loaded", "crm loaded")
        if name in each["detail"]
    }


def test_each_location_reloads_alone(teams: Teams) -> None:
    before = teams.running.loads()
    teams.crm.put_sql("crm/leads", "select 3 as a")
    await_value("crm/leads", lambda: "crm/leads" in teams.answer("status"), _SECONDS)
    after = await_value(
        "the webserver to load crm",
        lambda: loads if (loads := teams.running.loads())["crm"] != before["crm"] else None,
        _SECONDS,
    )
    assert after["sales"] == before["sales"]


def test_an_asset_depends_on_an_extract_of_another_location(teams: Teams) -> None:
    (report,) = graphql(teams.running.url, _GRAPH)["assetNodes"]
    assert report["dependencyKeys"] == [{"path": ["sales", "orders"]}]


def test_an_extract_runs_after_one_of_another_location_and_is_invalid_without_it(
    teams: Teams, tmp_path: Path
) -> None:
    """Whichever location has loaded first: the other team's snapshot may have come later."""

    def state() -> str:
        return teams.answer("status")["crm/fed"]["state"]

    await_value("crm to know of sales/feed", lambda: state() != "invalid", _SECONDS)
    Deployment(teams.running.url, "sales").launch(["sales/feed"])
    published = "extracts/crm/fed.parquet"
    await_value("crm/fed", lambda: teams.sales.version_ids(published), _SECONDS)
    shown = teams.call("why", "crm/fed").stdout
    assert f"next start: when sales/feed of {teams.sales.manifest.uri} has new data" in shown

    planned = json.loads(teams.call("plan", str(tmp_path), "--delete", "--json").stdout)
    broken = {each["extract"]: each["breaking"] for each in planned if each["breaking"]}
    assert broken["sales/feed"]["extracts"] == ["crm/fed"], "of the other location"
    bucket, key = teams.sales.manifest.bucket, teams.sales.manifest.key("sales/feed.sql")
    teams.sales.s3.delete_object(Bucket=bucket, Key=key)
    await_value("crm/fed to be invalid", lambda: state() == "invalid", _SECONDS)
    shown = teams.call("why", "crm/fed").stdout
    assert f"no extract 'sales/feed' to depend on, here or in {teams.sales.manifest.uri}" in shown


def test_a_location_that_does_not_answer_is_one_line(teams: Teams) -> None:
    """Last in this file, since it ends a code server."""
    os.killpg(teams.running.servers[1].pid, signal.SIGKILL)
    told = teams.call("status")
    assert told.exit_code == 1
    assert "nothing is known of the code location crm: " in told.stdout.splitlines()[0]
    assert "sales/orders" in told.stdout
    answer = json.loads(teams.call("failed", "--json").stdout)
    assert list(answer["unknown"]) == ["crm"]
    assert "crm gives no answer" in teams.call("why", "crm/customers").stderr
