"""What is measured, independent of where it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from extract_project.errors import Cause
from extract_project.status.facts import Facts
from extract_project.status.reason import State, state_of
from extract_project.status.reasons import reasons


class Kind(StrEnum):
    """How values of one measure are combined."""

    COUNT = "count"
    """They are added."""
    DISTRIBUTION = "distribution"
    """Each counts by itself: sums, averages and percentiles make sense."""
    LEVEL = "level"
    """The newest one counts."""


@dataclass(frozen=True)
class Name:
    """One measure."""

    text: str
    kind: Kind
    unit: str
    """In UCUM, as OpenTelemetry wants it: `s`, `By`, `{row}`."""
    about: str


ATTEMPTS = Name(
    "extract.attempts", Kind.COUNT, "{attempt}", "attempts that ended, by outcome and cause"
)
DURATION = Name("extract.attempt.duration", Kind.DISTRIBUTION, "s", "from connecting to staged")
STAGE = Name("extract.stage.duration", Kind.DISTRIBUTION, "s", "of each stage; stages overlap")
ROWS = Name("extract.rows", Kind.DISTRIBUTION, "{row}", "rows that were staged")
BYTES = Name("extract.bytes", Kind.DISTRIBUTION, "By", "bytes that were staged")
MEMORY = Name("extract.memory.peak", Kind.DISTRIBUTION, "By", "peak memory of the run's process")
AGE = Name("extract.age", Kind.LEVEL, "s", "since the last success of an extract")
AGE_SHARE = Name(
    "extract.age.share", Kind.LEVEL, "1", "age over the `freshness` of the header: late above 1"
)
EXTRACTS = Name("extract.extracts", Kind.LEVEL, "{extract}", "extracts in each state")
RUNS = Name("extract.runs", Kind.LEVEL, "{run}", "runs that wait in the queue, and that run")
SILENT = Name(
    "extract.daemons.silent", Kind.LEVEL, "{thread}", "threads of the daemon without news"
)

ALL = (ATTEMPTS, DURATION, STAGE, ROWS, BYTES, MEMORY, AGE, AGE_SHARE, EXTRACTS, RUNS, SILENT)

ALARMED = frozenset({(AGE_SHARE, ""), (EXTRACTS, State.OVERDUE.value), (SILENT, "")})
"""What the alarms of the AWS stack read: a measure, and the state where it is one of several."""

_OUTCOMES = ("published", "unchanged", "kept")
_OF_CAUSES = {Cause.AUDIT.value: "refused", Cause.CANCELLED.value: "cancelled"}


@dataclass(frozen=True)
class Measure:
    """One value."""

    name: Name
    value: float
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_alarmed(self) -> bool:
        """Whether an alarm of the AWS stack reads it."""
        return (self.name, self.attributes.get("state", "")) in ALARMED


def of_event(record: Mapping[str, Any]) -> Iterator[Measure]:
    """Return the measures of a line of the journal; most lines have none."""
    event, about = record["event"], {"extract": str(record.get("extract", ""))}
    if event == "staged":
        for stage, seconds in record["seconds"].items():
            if stage == "total":
                yield Measure(DURATION, seconds, about)
            else:
                yield Measure(STAGE, seconds, {**about, "stage": stage})
        rows = record.get("rows_added")
        yield Measure(ROWS, record["rows"] if rows is None else rows, about)
        yield Measure(BYTES, record["bytes"], about)
        yield Measure(MEMORY, record["peak_memory"], about)
    elif event in _OUTCOMES:
        yield Measure(ATTEMPTS, 1, {**about, "outcome": event})
    elif event == "failed":
        cause = str(record["cause"])
        outcome = _OF_CAUSES.get(cause, "failed")
        yield Measure(ATTEMPTS, 1, {**about, "outcome": outcome, "cause": cause})


def of_facts(facts: Facts) -> Iterator[Measure]:
    """The state of a deployment at one moment."""
    found = facts.deployment
    counts = dict.fromkeys(State, 0)
    for path, extract in facts.extracts.items():
        state = state_of(reasons(facts, path))
        counts[state] += 1
        if extract.success is None or not extract.enabled:
            continue
        age = (found.at - extract.success.at).total_seconds()
        about = {"extract": path, "group": extract.group}
        yield Measure(AGE, age, about)
        if extract.freshness_seconds:
            yield Measure(AGE_SHARE, age / extract.freshness_seconds, about)
    for state, count in counts.items():
        yield Measure(EXTRACTS, count, {"state": state.value})
    yield Measure(RUNS, found.queued, {"state": "queued"})
    yield Measure(RUNS, found.running, {"state": "running"})
    yield Measure(SILENT, len(found.silent_daemons))
