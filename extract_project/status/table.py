"""One row for each extract, worst first: its state, its last success and its next start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.status import words
from extract_project.status.facts import DeploymentFacts, ExtractFacts, Facts, Trigger
from extract_project.status.reason import Kind, State, headline, state_of
from extract_project.status.reasons import reasons

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One extract."""

    extract: str
    location: str
    """The code location that has it."""
    group: str
    owners: tuple[str, ...]
    state: State
    kind: Kind
    """Of the reason for the state."""
    why: str
    evidence: str
    remedy: str
    run_id: str | None
    """The run that failed or is in progress."""
    last_success_at: AwareDatetime | None
    age_seconds: float | None
    """The seconds since the last success."""
    freshness_seconds: float | None
    """How old the published version may get, in seconds."""
    next_start_at: AwareDatetime | None
    next_start: str
    """In words, where it has no time: `when sales/orders has new data`."""
    seconds: float | None
    """How long the last success took."""
    usual_seconds: float | None
    rows: int | None
    rows_change: int | None
    """How many rows it has more (or, below 0, fewer) than the version before."""


class StatusReport(BaseModel):
    """The state of a deployment and of its extracts."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    url: str
    locations: tuple[str, ...]
    """The code locations that were asked."""
    unknown: dict[str, str] = {}
    """Code locations that gave no answer, and why: the state of their extracts is not known."""
    problems: tuple[str, ...]
    """What concerns all extracts: silent daemons, what is switched off, a manifest not loaded."""
    counts: dict[State, int]
    """Extracts by state, of all that were asked for."""
    extracts: tuple[StatusRow, ...]


def status_report(facts: Facts, location: str) -> StatusReport:
    """All extracts of a code location, worst first; equal states by path."""
    rows = sorted((_row(facts, path, location) for path in facts.extracts), key=_worst_first)
    counts = Counter(row.state for row in rows)
    return StatusReport(
        at=facts.deployment.at,
        url=facts.deployment.url,
        locations=(location,),
        problems=problems(facts.deployment),
        counts={state: counts[state] for state in State if counts[state]},
        extracts=tuple(rows),
    )


def merged(reports: Sequence[StatusReport], unknown: Mapping[str, str]) -> StatusReport:
    """One report of several code locations of a deployment.

    `unknown`: those that gave no answer, and why. A problem that all have is told once.
    """
    shared = [each for each in reports[0].problems if all(each in r.problems for r in reports)]
    counts: Counter[State] = Counter()
    for report in reports:
        counts.update(report.counts)
    return StatusReport(
        at=min(report.at for report in reports),
        url=reports[0].url,
        locations=tuple(sorted([*unknown, *(name for r in reports for name in r.locations)])),
        unknown=dict(unknown),
        problems=(
            *shared,
            *_collisions(reports),
            *(
                f"{', '.join(report.locations)}: {each}"
                for report in reports
                for each in report.problems
                if each not in shared
            ),
        ),
        counts={state: counts[state] for state in State if counts[state]},
        extracts=tuple(sorted((row for r in reports for row in r.extracts), key=_worst_first)),
    )


def in_several(extracts: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The extracts that more than one code location has, with the names of these locations.

    `extracts`: the paths of the extracts of each location.
    """
    found: dict[str, list[str]] = {}
    for name, paths in sorted(extracts.items()):
        for path in paths:
            found.setdefault(path, []).append(name)
    return {path: names for path, names in sorted(found.items()) if len(names) > 1}


def _collisions(reports: Sequence[StatusReport]) -> list[str]:
    extracts = {name: [row.extract for row in r.extracts] for r in reports for name in r.locations}
    found = in_several(extracts)
    told = [
        f"{path} is in {' and '.join(names)}, so one replaces what the other publishes: rename one"
        for path, names in list(found.items())[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return [*told, f"{more:,} more extracts are in several code locations"] if more > 0 else told


def _worst_first(row: StatusRow) -> tuple[int, str, str]:
    return row.state.severity, row.extract, row.location


def problems(deployment: DeploymentFacts, zone: tzinfo | None = None) -> tuple[str, ...]:
    """What keeps the deployment from starting runs or loading new SQL, in a sentence each."""
    now = deployment.at
    found = []
    silent = deployment.silent_daemons
    if silent:
        heard = [each.last_heartbeat for each in silent if each.last_heartbeat]
        since = f" since {words.at(max(heard), now, zone)}" if heard else ""
        names = ", ".join(each.name.lower() for each in silent)
        found.append(f"the daemon is silent{since}: nothing starts ({names})")
    found += [f"the {each.kind} {each.name} is switched off" for each in deployment.switched_off]
    if deployment.manifest.refused:
        found.append(
            f"the newest manifest does not load, an older one is served: "
            f"{deployment.manifest.refused.partition(chr(10))[0]}"
        )
    return tuple(found)


def next_start(extract: ExtractFacts, deployment: DeploymentFacts) -> str:
    """What starts it next, in words; a time is told by `next_tick`."""
    if extract.invalid:
        return "never: invalid"
    if not extract.enabled:
        return "never: enabled is false"
    if extract.trigger.ticks and extract.next_tick is None:
        return "never: its last partition is over"
    starter = deployment.starters.get(extract.starter or "")
    if starter is not None and not starter.on:
        return f"never: {starter.name} is switched off"
    shown = extract.upstream(_SHOWN)
    if extract.trigger is Trigger.UPSTREAM:
        return f"when {shown} has new data"
    if extract.trigger is Trigger.SOURCE:
        return "when a table that it reads changes"
    if extract.trigger is Trigger.DEMAND:
        return "on demand"
    return "at its tick" if extract.trigger is Trigger.SCHEDULE else f"at its tick, after {shown}"


def when(row: StatusRow, now: datetime, zone: tzinfo | None = None) -> str:
    """The next start for people: `in 35 min, 06:00`, else what starts it."""
    if row.next_start_at is None or row.next_start.startswith("never"):
        return row.next_start
    return f"in {words.span(row.next_start_at - now)}, {words.clock(row.next_start_at, now, zone)}"


def _row(facts: Facts, path: str, location: str) -> StatusRow:
    extract, now = facts.extracts[path], facts.deployment.at
    found = reasons(facts, path)
    reason, success = headline(found), extract.success
    return StatusRow(
        extract=path,
        location=location,
        group=extract.group,
        owners=extract.owners,
        state=state_of(found),
        kind=reason.kind,
        why=reason.what,
        evidence=reason.evidence,
        remedy=reason.remedy,
        run_id=extract.attempts[0].run_id if extract.attempts else None,
        last_success_at=success.at if success else None,
        age_seconds=(now - success.at).total_seconds() if success else None,
        freshness_seconds=extract.freshness_seconds,
        next_start_at=extract.next_tick,
        next_start=next_start(extract, facts.deployment),
        seconds=success.seconds if success else None,
        usual_seconds=success.usual_seconds if success else None,
        rows=success.rows if success else None,
        rows_change=success.rows_change if success else None,
    )
