"""What starts an extract, and what keeps it from starting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from extract_project.outcome import Outcome
from extract_project.status import words
from extract_project.status.facts import ExtractFacts, Facts, Starter, Trigger
from extract_project.status.reason import Kind, Reason, State

GRACE = timedelta(minutes=2)
"""How long after a tick a run may take to appear, before the tick counts as missed."""
_SHOWN = 5


def starting(facts: Facts, extract: ExtractFacts, waiting: Sequence[Reason]) -> Iterator[Reason]:
    """Why nothing has started it, and what will; `waiting` says which upstream extracts hold it."""
    if any(each.outcome in (Outcome.QUEUED, Outcome.RUNNING) for each in extract.attempts):
        return
    if extract.trigger is Trigger.DEMAND:
        yield on_demand(extract)
        return
    starter = facts.deployment.starters.get(extract.starter or "")
    broken = list(_broken(facts, extract, starter))
    if extract.new_upstream and not extract.attempts and not extract.waits_for:
        yield _due(extract, late=bool(broken))
    missed = _missed_tick(extract, starter, facts.deployment.at)
    if missed is not None:
        yield _overdue(extract, missed, facts.deployment.at)
    yield from broken
    yield from waiting
    if missed is None and not broken and not waiting:
        yield from _not_due(facts, extract)


def _due(extract: ExtractFacts, *, late: bool) -> Reason:
    return Reason(
        kind=Kind.DUE,
        state=State.OVERDUE if late else State.WAITING,
        what="upstream data is new, and it has not run since",
        evidence=f"upstream: {extract.upstream(_SHOWN)}",
        remedy=f"extract run {extract.extract}"
        if late
        else f"nothing: the sensor {extract.starter} starts it within seconds",
    )


def _broken(facts: Facts, extract: ExtractFacts, starter: Starter | None) -> Iterator[Reason]:
    """Return the reasons why its schedule or sensor does not start it."""
    now = facts.deployment.at
    yield from silent(facts, "SCHEDULER" if extract.trigger is Trigger.SCHEDULE else "SENSOR")
    if starter is None:
        return
    if not starter.on:
        yield Reason(
            kind=Kind.STARTER_OFF,
            state=State.DISABLED,
            what=f"the {starter.kind} {starter.name}, which starts it, is switched off",
            evidence=f"its last tick was {words.at(starter.last_tick, now)}"
            if starter.last_tick
            else "it has never ticked",
            remedy=f"switch it on: Automation → {starter.name} in the UI",
        )
    elif starter.last_error:
        yield Reason(
            kind=Kind.TICK_FAILED,
            state=State.OVERDUE,
            what=f"the newest tick of the {starter.kind} {starter.name} failed",
            evidence=_line(starter.last_error),
            remedy=f"see Automation → {starter.name} in the UI for the whole error",
        )


def silent(facts: Facts, name: str) -> Iterator[Reason]:
    """The reason that this thread of the daemon is silent; nothing if it is not."""
    now = facts.deployment.at
    for daemon in facts.deployment.silent_daemons:
        if daemon.name == name:
            heard = daemon.last_heartbeat
            since = f"since {words.at(heard, now)}" if heard else "and has never sent a heartbeat"
            yield Reason(
                kind=Kind.DAEMON_SILENT,
                state=None,
                what=f"the daemon is silent {since}: nothing starts",
                evidence=f"the thread {name} has sent no heartbeat",
                remedy="start the daemon again: dagster-daemon run, or its service on ECS",
            )


def _missed_tick(extract: ExtractFacts, starter: Starter | None, now: datetime) -> datetime | None:
    """The newest tick, if it is over and nothing ran for it."""
    tick = extract.last_tick
    if tick is None or now - tick < GRACE or extract.waiting_since is not None:
        return None
    ran = [each.at for each in extract.attempts if each.outcome is not Outcome.CANCELLED]
    if extract.success is not None:
        ran.append(extract.success.at)
    if any(each >= tick for each in ran):
        return None
    if any(each.at >= tick for each in extract.attempts):  # cancelled: somebody wanted it so
        return tick
    if starter is not None:
        known = [each for each in (starter.since, starter.last_tick) if each is not None]
        if not known or min(known) > tick:
            return None  # nothing says that its schedule existed by then
    ticked = starter is not None and starter.last_tick is not None and starter.last_tick >= tick
    if ticked and not ran and starter is not None and not starter.last_error:
        return None  # its schedule ticked before this extract was added
    return tick


def _overdue(extract: ExtractFacts, tick: datetime, now: datetime) -> Reason:
    success = extract.success
    last = f"last success {words.at(success.at, now)}" if success else "it has never succeeded"
    return Reason(
        kind=Kind.TICK_MISSED,
        state=State.OVERDUE,
        what=f"its tick of {words.at(tick, now)} is over, and nothing ran",
        evidence=f"schedule {extract.schedule}; {last}",
        remedy=f"extract run {extract.extract}",
    )


def _not_due(facts: Facts, extract: ExtractFacts) -> Iterator[Reason]:
    now = facts.deployment.at
    starter = facts.deployment.starters.get(extract.starter or "")
    run = f"to run it now: extract run {extract.extract}"
    if extract.trigger is Trigger.UPSTREAM and not extract.new_upstream:
        shown = extract.upstream(_SHOWN)
        yield Reason(
            kind=Kind.NOTHING_NEW_UPSTREAM,
            state=State.FINE,
            what=f"nothing is new upstream: it runs when {shown} has new data",
            evidence=f"its data was made from the current data of {shown}"
            if extract.success
            else f"not all of {shown} have been materialized",
            remedy=run,
        )
    elif extract.trigger is Trigger.SOURCE:
        shown = f": {', '.join(extract.tables[:_SHOWN])}" if extract.tables else ""
        yield Reason(
            kind=Kind.SOURCE_UNCHANGED,
            state=State.FINE,
            what=f"no table that it reads has changed{shown}",
            evidence=_last_look(starter, now),
            remedy=run,
        )
    elif extract.next_tick is not None:
        yield Reason(
            kind=Kind.NOT_DUE,
            state=State.FINE,
            what=f"it is not due yet: it starts at {words.at(extract.next_tick, now)}",
            evidence=f"schedule {extract.schedule}",
            remedy=run,
        )
    elif extract.trigger.ticks:
        yield Reason(
            kind=Kind.NOT_DUE,
            state=State.FINE,
            what="no tick runs it any more: its last partition is over",
            evidence=f"schedule {extract.schedule}; its partitions have an end",
            remedy=f"to go on, remove the key end of its partitions; to run one of them again: "
            f"extract run {extract.extract} --partition KEY",
        )


def _last_look(starter: Starter | None, now: datetime) -> str:
    if starter is None or starter.last_tick is None:
        return "nobody has looked yet"
    said = f": {_line(starter.last_skip)}" if starter.last_skip else ""
    return f"{starter.name} looked {words.ago(starter.last_tick, now)}{said}"


def on_demand(extract: ExtractFacts) -> Reason:
    """The reason of an extract that only a person starts."""
    return Reason(
        kind=Kind.ON_DEMAND,
        state=State.FINE,
        what="it runs on demand: its header has neither a schedule nor depends_on",
        remedy=f"extract run {extract.extract}; for a schedule, add the key schedule",
    )


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]
