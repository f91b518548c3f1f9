"""The dashboard and the alarms on age read metrics that a deployment sends."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from deploy.cost import Shape
from extract_project.journal import Journal
from extract_project.telemetry.emf import EmfExporter
from extract_project.telemetry.measures import ALARMED, ATTEMPTS, Measure, of_event, of_facts
from extract_project_tests.support.cloudformation.template import of_type
from extract_project_tests.support.mornings import morning

Metric = tuple[str, frozenset[str]]
"""Its name, and the names of its dimensions."""


def sent() -> dict[Metric, set[frozenset[tuple[str, str]]]]:
    """Each metric that CloudWatch makes of the log, with the values of its dimensions."""
    measures = list(of_facts(morning()[0]))
    journal = Journal(
        {"extract": "a/b"}, io.StringIO(), lambda record: measures.extend(of_event(record))
    )
    stages = ("connect", "query", "fetch", "audit", "encode", "upload", "total")
    journal.write("staged", rows=1, bytes=1, peak_memory=1, seconds=dict.fromkeys(stages, 1.0))
    journal.write("published")
    journal.write("failed", cause="sql")
    log = io.StringIO()
    EmfExporter("extract_project", log).export(measures)
    found: dict[Metric, set[frozenset[tuple[str, str]]]] = {}
    for line in map(json.loads, log.getvalue().splitlines()):
        (described,) = line["_aws"]["CloudWatchMetrics"]
        assert described["Namespace"] == "Extracts"
        for keys in described["Dimensions"]:
            metric = (described["Metrics"][0]["Name"], frozenset(keys))
            found.setdefault(metric, set()).add(frozenset((key, line[key]) for key in keys))
    return found


def widgets() -> list[dict[str, Any]]:
    (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
    found: list[dict[str, Any]] = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
    return found


def test_every_alarm_on_extracts_reads_a_metric_that_is_sent() -> None:
    known = sent()
    alarms = {
        name: each
        for name, each in of_type("AWS::CloudWatch::Alarm").items()
        if each["Namespace"] == "Extracts"
    }
    assert alarms.keys() == {"ExtractsLate", "ExtractsOverdue", "NothingMeasured"}
    for alarm in alarms.values():
        dimensions = frozenset((each["Name"], each["Value"]) for each in alarm["Dimensions"])
        names = frozenset(name for name, _ in dimensions)
        assert dimensions in known[alarm["MetricName"], names]
    read = {(alarm["MetricName"], state_of(alarm)) for alarm in alarms.values()}
    assert read == {(name.text, state) for name, state in ALARMED}
    # Metrics come each minute or so: a minute without one must not quiet an alarm.
    assert alarms["ExtractsLate"]["DatapointsToAlarm"] < alarms["ExtractsLate"]["EvaluationPeriods"]
    assert alarms["NothingMeasured"]["TreatMissingData"] == "breaching"


def state_of(alarm: dict[str, Any]) -> str:
    return next((each["Value"] for each in alarm["Dimensions"] if each["Name"] == "state"), "")


def test_what_alarms_read_can_be_sent_alone() -> None:
    log = io.StringIO()
    measures = [*of_facts(morning()[0]), Measure(ATTEMPTS, 1, {"outcome": "published"})]
    EmfExporter("extract_project", log, alarmed_only=True).export(measures)
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(name.text, state) for name, state in ALARMED} == {
        (each["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], each.get("state", ""))
        for each in found
    }


def test_every_widget_reads_a_metric_that_is_sent() -> None:
    known = sent()
    read = set[Metric]()
    for widget in widgets():
        for metric, *rest in widget["properties"].get("metrics", ()):
            if isinstance(metric, str):
                name, *dimensions = rest
                pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
                assert frozenset(pairs) in known[name, frozenset(dimensions[::2])]
                read.add((name, frozenset(dimensions[::2])))
                continue
            searched = re.fullmatch(
                r"""SEARCH\('\{Extracts,([\w,]+)\} MetricName="([\w.]+)" """
                r"""location="extract_project"', '(Sum|Maximum|p90)'\)""",
                metric["expression"],
            )
            assert searched is not None
            read.add((searched[2], frozenset(searched[1].split(","))))
    assert read <= known.keys()
    assert len(read) == 8


def test_the_costs_know_how_many_metrics_there_are() -> None:
    once = {(name, dimensions) for (name, _), all_of in sent().items() for dimensions in all_of}
    other_outcomes, other_causes = 4, 4
    assert len(once) + other_outcomes + other_causes == Shape().metrics
