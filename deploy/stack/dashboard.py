"""The dashboard: what runs have done, how old extracts are, and what waits.

It and the alarms on age read the metrics that `EXTRACT_METRICS=emf` makes of the log. The small
footprint sends only those of the alarms, and has no dashboard.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from deploy.stack.parameters import STANDARD, only_if, ref

LOCATION, NAMESPACE = "extract_project", "Extracts"
_WIDE, _HIGH = 12, 6


def define_dashboard(stack: cdk.Stack) -> None:
    """One dashboard, in the region of the stack."""
    widgets = [
        _lines("Extracts by state", "extract.extracts", "state", "Maximum"),
        _oldest(),
        _lines("Attempts by outcome", "extract.attempts", "outcome", "Sum", stacked=True),
        _lines("Failures by cause", "extract.attempts", "cause", "Sum", stacked=True),
        _lines("Runs in the queue and running", "extract.runs", "state", "Maximum"),
        _lines(
            "Seconds of each stage, 9 of 10 are faster", "extract.stage.duration", "stage", "p90"
        ),
        _one("Rows staged", "extract.rows", "Sum"),
        _one("Bytes staged", "extract.bytes", "Sum"),
        _largest(),
    ]
    placed = [
        {**widget, "x": _WIDE * (number % 2), "y": _HIGH * (number // 2)}
        for number, widget in enumerate(widgets)
    ]
    dashboard = cloudwatch.CfnDashboard(
        stack,
        "Dashboard",
        dashboard_name=f"{cdk.Aws.STACK_NAME}-extracts",
        dashboard_body=stack.to_json_string({"start": "-PT24H", "widgets": placed}),
    )
    only_if(dashboard, STANDARD)


def _widget(kind: str, **properties: Any) -> dict[str, Any]:
    size = {"width": _WIDE, "height": _HIGH}
    return {"type": kind, **size, "properties": {"region": cdk.Aws.REGION, **properties}}


def _lines(
    title: str, name: str, split: str, statistic: str, *, stacked: bool = False
) -> dict[str, Any]:
    """A line for each value of a dimension, whichever there are."""
    query = f'{{{NAMESPACE},location,{split}}} MetricName="{name}" location="{LOCATION}"'
    search = {"expression": f"SEARCH('{query}', '{statistic}')", "label": "", "id": "found"}
    return _widget(
        "metric", title=title, view="timeSeries", stacked=stacked, period=300, metrics=[[search]]
    )


def _one(title: str, name: str, statistic: str) -> dict[str, Any]:
    metric = [NAMESPACE, name, "location", LOCATION]
    return _widget(
        "metric", title=title, view="timeSeries", stat=statistic, period=300, metrics=[metric]
    )


def _oldest() -> dict[str, Any]:
    """The age of the latest extract, as a share of what its header allows."""
    widget = _one("Oldest extract: its age over its freshness", "extract.age.share", "Maximum")
    widget["properties"]["annotations"] = {"horizontal": [{"label": "late", "value": 1}]}
    return widget


def _largest() -> dict[str, Any]:
    """Which extracts they were: the log has what is no dimension."""
    query = (
        f"SOURCE '{ref('RunLogs')}' | filter event = 'staged' "
        "| stats sum(rows) as all_rows, max(bytes) as largest, max(seconds.total) as slowest, "
        "count(*) as attempts by extract | sort slowest desc | limit 50"
    )
    return _widget("log", title="Slowest extracts", view="table", query=query)
