"""Extracts that failed: the owner, the next step, and the version that readers have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.manifest.names import name_of
from extract_project.outcome import Outcome
from extract_project.status.facts import Attempt, ExtractFacts, Facts
from extract_project.status.reason import headline
from extract_project.status.reasons import reasons

_FAILED = (Outcome.FAILED, Outcome.REFUSED, Outcome.SKIPPED)
_NEXT = "next: "
INVALID = "invalid"


class FailedRow(BaseModel):
    """An extract or a partition whose latest attempt failed, or an invalid file."""

    model_config = ConfigDict(frozen=True)

    extract: str
    location: str
    """The code location that has it."""
    partition: str | None
    group: str
    owners: tuple[str, ...]
    state: str
    """`failed`, `refused`, `skipped` (an upstream extract failed) or `invalid`."""
    cause: str | None
    at: AwareDatetime | None
    run_id: str | None
    url: str | None
    """The run's page."""
    what: str
    """The first line of the failure report, or why the file is invalid."""
    next_step: str
    published_at: AwareDatetime | None
    """Of the version that readers have; of the newest partition, for one with partitions."""
    published_age_seconds: float | None
    failure_report: str


class FailedReport(BaseModel):
    """Everything whose latest attempt failed, and every invalid file."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    locations: tuple[str, ...]
    """The code locations that were asked."""
    unknown: dict[str, str] = {}
    """Code locations that gave no answer, and why: what failed there is not known."""
    failed: tuple[FailedRow, ...]
    running: tuple[str, ...]
    """Extracts that wait or run at this moment: neither failed nor successful."""


def failed_report(
    facts: Facts,
    location: str,
    group: str | None = None,
    since: datetime | None = None,
    extracts: Collection[str] = (),
) -> FailedReport:
    """The failures in one code location; invalid files first.

    Of one group, since a time, or of some extracts, where these are given.
    """
    chosen = [
        each
        for path, each in sorted(facts.extracts.items())
        if group in (None, each.group) and (not extracts or path in extracts)
    ]
    attempts = [
        (extract, attempt)
        for extract in chosen
        for attempt in extract.attempts
        if attempt.outcome in _FAILED and (since is None or attempt.at >= since)
    ]
    return FailedReport(
        at=facts.deployment.at,
        locations=(location,),
        failed=(
            *(_invalid(facts, each, location) for each in chosen if each.invalid),
            *(_attempt(facts, *each, location) for each in attempts),
        ),
        running=tuple(
            name_of(each.extract, attempt.partition)
            for each in chosen
            for attempt in each.attempts
            if attempt.outcome in (Outcome.QUEUED, Outcome.RUNNING)
        ),
    )


def merged(reports: Sequence[FailedReport], unknown: Mapping[str, str]) -> FailedReport:
    """One report of several code locations; `unknown`: those that gave no answer, and why."""
    rows = [row for report in reports for row in report.failed]
    return FailedReport(
        at=min(report.at for report in reports),
        locations=tuple(sorted([*unknown, *(name for r in reports for name in r.locations)])),
        unknown=dict(unknown),
        failed=tuple(sorted(rows, key=lambda row: row.state != INVALID)),
        running=tuple(name for report in reports for name in report.running),
    )


def _invalid(facts: Facts, extract: ExtractFacts, location: str) -> FailedRow:
    return FailedRow(
        extract=extract.extract,
        location=location,
        partition=None,
        group=extract.group,
        owners=extract.owners,
        state=INVALID,
        cause="sql",
        at=None,
        run_id=None,
        url=None,
        what=extract.invalid[0],
        next_step=headline(reasons(facts, extract.extract)).remedy,
        published_at=None,
        published_age_seconds=None,
        failure_report="\n".join(extract.invalid),
    )


def _attempt(facts: Facts, extract: ExtractFacts, attempt: Attempt, location: str) -> FailedRow:
    now, success = facts.deployment.at, extract.success
    skipped = attempt.outcome is Outcome.SKIPPED
    return FailedRow(
        extract=extract.extract,
        location=location,
        partition=attempt.partition,
        group=extract.group,
        owners=extract.owners,
        state=attempt.outcome.value,
        cause=attempt.cause,
        at=attempt.at,
        run_id=attempt.run_id,
        url=f"{facts.deployment.url.rstrip('/')}/runs/{attempt.run_id}",
        what="not tried: an upstream extract failed"
        if skipped
        else attempt.report.partition("\n")[0],
        next_step=_next(attempt) or f"extract rerun {extract.extract}",
        published_at=success.at if success else None,
        published_age_seconds=(now - success.at).total_seconds() if success else None,
        failure_report=attempt.report,
    )


def _next(attempt: Attempt) -> str:
    """The next step that the failure report names."""
    found = (line for line in attempt.report.splitlines() if line.startswith(_NEXT))
    return next(found, "").removeprefix(_NEXT)
