"""Metrics of runs and of the deployment, as a collector and CloudWatch receive them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import dagster as dg
import pytest

from extract_project.errors import SettingsError
from extract_project.journal import Journal
from extract_project.settings import Settings, load_settings
from extract_project.telemetry.emf import EmfExporter
from extract_project.telemetry.exporting import EXPORTERS, measuring, send
from extract_project.telemetry.measures import ATTEMPTS, Measure, of_facts
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute
from extract_project_tests.support.mornings import morning
from extract_project_tests.support.otlp_receiver import Receiver, otlp_receiver


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield receiver


def ran(site: Site, settings: Settings, *exporters: str) -> None:
    measured = settings.model_copy(update={"metrics": exporters})
    with dg.DagsterInstance.ephemeral() as instance:
        execute(definitions(site, measured), instance)


def test_a_collector_gets_what_a_run_has_done(
    site: Site, settings: Settings, receiver: Receiver
) -> None:
    site.put_sql("a/b", "select 1 as n from range(7)")
    ran(site, settings, "otlp")
    (attempt,) = receiver.named("extract.attempts")
    assert (attempt.kind, attempt.value) == ("sum delta", 1)
    assert attempt.attributes == {"extract": "a/b", "outcome": "published"}
    assert attempt.resource["service.name"] == "extract"
    assert attempt.resource["extract.location"] == "extract_project"
    (rows,) = receiver.named("extract.rows")
    assert (rows.kind, rows.value, rows.count, rows.unit) == ("histogram delta", 7, 1, "{row}")
    stages = {point.attributes["stage"] for point in receiver.named("extract.stage.duration")}
    assert stages == {"connect", "query", "fetch", "audit", "encode", "upload"}
    (whole,) = receiver.named("extract.attempt.duration")
    assert 0 < whole.value < 60
    assert receiver.named("extract.bytes")[0].value > 100
    assert receiver.named("extract.memory.peak")[0].value > 2**20
    assert receiver.requests == 1


@pytest.mark.parametrize(
    ("sql", "counted"),
    [
        ("select nope", {"outcome": "failed", "cause": "sql"}),
        (
            "/*---\nchecks: [{min_rows: 9}]\n---*/\nselect 1 as n",
            {"outcome": "refused", "cause": "audit refused"},
        ),
    ],
)
def test_a_failure_is_counted_with_its_cause(
    site: Site, settings: Settings, receiver: Receiver, sql: str, counted: dict[str, str]
) -> None:
    site.put_sql("a/b", sql)
    ran(site, settings, "otlp")
    (attempt,) = receiver.named("extract.attempts")
    assert attempt.attributes == {"extract": "a/b", **counted}


def test_a_collector_gets_the_age_of_each_extract(receiver: Receiver) -> None:
    facts, _ = morning()
    send(list(of_facts(facts)), ["otlp"], "shop")
    ages = {point.attributes["extract"]: point for point in receiver.named("extract.age")}
    assert (ages["finance/revenue"].value, ages["finance/revenue"].kind) == (31 * 3600, "gauge")
    assert "ops/typo" not in ages  # it has never succeeded
    assert "ops/off" not in ages  # nobody waits for it
    (share,) = receiver.named("extract.age.share")
    assert share.value == pytest.approx(31 / 24)
    states = {
        point.attributes["state"]: point.value for point in receiver.named("extract.extracts")
    }
    assert (states["failed"], states["late"], states["fine"]) == (1, 1, 12)
    runs = {point.attributes["state"]: point.value for point in receiver.named("extract.runs")}
    assert runs == {"queued": 3, "running": 9}
    assert receiver.named("extract.daemons.silent")[0].value == 1


def test_the_deployment_sends_its_state(site: Site, settings: Settings, receiver: Receiver) -> None:
    site.put_sql("a/b", "/*---\nfreshness: 1h\n---*/\nselect 1 as n")
    site.put_sql("a/invalid", "delete from x")
    measured = settings.model_copy(update={"metrics": ("otlp",)})
    with dg.instance_for_test() as instance:
        execute(definitions(site, settings), instance, "a/b")
        repository = definitions(site, measured).get_repository_def()
        context = dg.build_sensor_context(instance)
        said = repository.get_sensor_def("metrics")(context)
    assert "numbers sent: otlp" in str(said)
    (age,) = receiver.named("extract.age")
    assert age.attributes == {"extract": "a/b", "group": "a"}
    assert 0 <= age.value < 60
    assert receiver.named("extract.age.share")[0].value < 1 / 60
    states = {p.attributes["state"]: p.value for p in receiver.named("extract.extracts")}
    assert (states["invalid"], states["fine"], states["late"]) == (1, 1, 0)
    assert "metrics" not in [
        each.name for each in definitions(site, settings).get_repository_def().sensor_defs
    ]


def test_a_collector_gets_the_age_of_thousands(receiver: Receiver) -> None:
    facts, _ = morning(fine=5_000)
    send(list(of_facts(facts)), ["otlp"], "shop")
    assert len({point.attributes["extract"] for point in receiver.named("extract.age")}) == 5_007


@pytest.mark.slow
def test_a_collector_that_does_not_answer_costs_seconds_and_no_run(
    site: Site, settings: Settings, receiver: Receiver
) -> None:
    receiver.silent.set()
    began = perf_counter()
    send([Measure(ATTEMPTS, 1, {"outcome": "published"})], ["otlp"], "shop")
    assert perf_counter() - began < 8
    assert receiver.requests >= 1
    site.put_sql("a/b", "select 1 as n")
    ran(site, settings, "otlp")
    assert len(site.version_ids("extracts/a/b.parquet")) == 1


def test_a_collector_that_is_gone_costs_no_run(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    site.put_sql("a/b", "select 1 as n")
    ran(site, settings, "otlp")
    assert len(site.version_ids("extracts/a/b.parquet")) == 1


def emf_lines(text: str) -> list[dict[str, Any]]:
    return [record for record in map(json.loads, text.splitlines()) if "_aws" in record]


def metrics_of(text: str) -> set[tuple[str, str, tuple[tuple[str, str], ...], Any]]:
    """What CloudWatch makes of lines, as its specification says: one metric for each name and each
    set of dimensions, whose values are fields of the line.
    """
    found = set()
    for line in emf_lines(text):
        assert isinstance(line["_aws"]["Timestamp"], int)
        for described in line["_aws"]["CloudWatchMetrics"]:
            assert described["Namespace"] == "Extracts"
            for keys in described["Dimensions"]:
                dimensions = tuple((key, line[key]) for key in keys)
                assert all(isinstance(value, str) and value for _, value in dimensions)
                for metric in described["Metrics"]:
                    value = line[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    assert 0 < len(values) <= 100
                    assert all(isinstance(each, int | float) for each in values)
                    plain = tuple(values) if isinstance(value, list) else value
                    found.add((metric["Name"], metric["Unit"], dimensions, plain))
    return found


def test_the_log_has_what_a_run_has_done(
    site: Site, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    site.put_sql("a/b", "select 1 as n from range(7)")
    ran(site, settings, "emf")
    text = capfd.readouterr().err
    lines = "\n".join(line for line in text.splitlines() if line.startswith("{"))
    metrics = metrics_of(lines)
    here = ("location", "extract_project")
    assert ("extract.rows", "Count", (here,), 7) in metrics
    assert ("extract.attempts", "Count", (here, ("outcome", "published")), 1) in metrics
    assert {name for name, *_ in metrics if "duration" in name} == {
        "extract.attempt.duration",
        "extract.stage.duration",
    }
    assert all(line["extract"] == "a/b" for line in emf_lines(lines))


def test_extracts_are_not_dimensions_because_those_are_billed() -> None:
    log = io.StringIO()
    facts, _ = morning(fine=250)
    EmfExporter("shop", log).export(list(of_facts(facts)))
    metrics = metrics_of(log.getvalue())
    assert {key for _, _, dimensions, _ in metrics for key, _ in dimensions} == {
        "location",
        "state",
    }
    ages = [values for name, *_, values in metrics if name == "extract.age"]
    assert sum(len(values) for values in ages) == 257
    assert max(max(values) for values in ages) == 31 * 3600
    assert len({(name, dimensions) for name, _, dimensions, _ in metrics}) < 25


def test_nothing_is_loaded_where_nothing_is_exported(site: Site, settings: Settings) -> None:
    script = (
        "import sys; import extract_project.orchestration.run.execution; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    with measuring((), "shop") as listener:
        assert listener is None


def test_a_line_that_measures_cannot_break_the_journal() -> None:
    log = io.StringIO()
    with measuring(["emf"], "shop") as listener:
        Journal({"extract": "a/b"}, log, listener).write("staged", seconds="odd")
    assert json.loads(log.getvalue())["event"] == "staged"


def test_an_exporter_that_fails_does_not_keep_others_from_sending(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def export(self, measures: object) -> None:
            raise RuntimeError("no")

    monkeypatch.setattr(
        "extract_project.telemetry.exporting.EXPORTERS", {**EXPORTERS, "emf": lambda _: Broken()}
    )
    send([Measure(ATTEMPTS, 1, {"outcome": "published"})], ["emf", "otlp"], "shop")
    assert receiver.named("extract.attempts")[0].value == 1
    assert "metrics are lost: emf: no" in caplog.text


def test_an_unknown_exporter_is_an_error_that_says_which_there_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT_METRICS", "emf, otlp")
    assert load_settings().metrics == ("emf", "otlp")
    monkeypatch.setenv("EXTRACT_METRICS", "prometheus")
    with pytest.raises(SettingsError, match=r"EXTRACT_METRICS.*'emf', 'emf-alarms' or 'otlp'"):
        load_settings()
