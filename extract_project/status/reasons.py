"""Why an extract is in the state that it is in, each reason with its evidence and its remedy.

Everything follows from facts: the same facts give the same reasons on the command line, in a report
and for an assistant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from extract_project.status import words
from extract_project.status.facts import (
    Attempt,
    ExtractFacts,
    Facts,
    Outcome,
    Starter,
    Trigger,
)

GRACE = timedelta(minutes=2)
"""How long after a tick a run may take to appear, before the tick counts as missed."""
_SHOWN = 5


class State(StrEnum):
    """The state of an extract, worst first."""

    FAILED = "failed"
    REFUSED = "refused"
    INVALID = "invalid"
    LATE = "late"
    OVERDUE = "overdue"
    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    DISABLED = "disabled"
    FINE = "fine"

    @property
    def severity(self) -> int:
        """0 is the worst."""
        return list(State).index(self)


class Kind(StrEnum):
    """What kind of reason it is."""

    OLDER_MANIFEST = "older_manifest"
    INVALID = "invalid"
    DISABLED = "disabled"
    FAILED = "failed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    QUEUED = "queued"
    POOL_FULL = "pool_full"
    SUPERSEDED = "superseded"
    LATE = "late"
    TICK_MISSED = "tick_missed"
    TICK_FAILED = "tick_failed"
    STARTER_OFF = "starter_off"
    DAEMON_SILENT = "daemon_silent"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_RUNNING = "upstream_running"
    UPSTREAM_BEHIND = "upstream_behind"
    NOTHING_NEW_UPSTREAM = "nothing_new_upstream"
    SOURCE_UNCHANGED = "source_unchanged"
    NOT_DUE = "not_due"
    ON_DEMAND = "on_demand"


class Reason(BaseModel):
    """One reason."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    state: State | None
    """The state that it puts the extract in; None if it only explains another reason."""
    what: str
    evidence: str = ""
    remedy: str = ""


def state_of(reasons: list[Reason]) -> State:
    """The worst state that the reasons give."""
    states = [each.state for each in reasons if each.state is not None]
    return min(states, key=lambda state: state.severity, default=State.FINE)


def headline(reasons: list[Reason]) -> Reason:
    """The reason for the state: the first that gives it."""
    state = state_of(reasons)
    return next(each for each in reasons if each.state in (state, None))


def reasons(facts: Facts, path: str) -> list[Reason]:
    """Why an extract of these facts is in its state, or does not run now; never empty.

    What concerns the whole deployment comes first, then what has happened, then what it waits for.
    """
    extract, now = facts.extracts[path], facts.deployment.at
    if extract.invalid:
        return [_invalid(extract)]
    found = [
        *_older_manifest(facts),
        *_disabled(extract),
        *(each for attempt in extract.attempts for each in _attempt(facts, extract, attempt)),
        *_late(extract, now),
    ]
    if extract.enabled:
        found += _starting(facts, extract)
    return found or [_on_demand(extract)]


def _older_manifest(facts: Facts) -> Iterator[Reason]:
    refused = facts.deployment.manifest.refused
    if refused:
        yield Reason(
            kind=Kind.OLDER_MANIFEST,
            state=None,
            what="the code location serves an older manifest, because the newest does not load",
            evidence=refused,
            remedy="fix or revert that file: extract check, then extract push",
        )


def _invalid(extract: ExtractFacts) -> Reason:
    return Reason(
        kind=Kind.INVALID,
        state=State.INVALID,
        what="its SQL file is invalid, so nothing can run it",
        evidence="; ".join(extract.invalid),
        remedy="fix the file: extract check FILE, then extract push",
    )


def _disabled(extract: ExtractFacts) -> Iterator[Reason]:
    if not extract.enabled:
        yield Reason(
            kind=Kind.DISABLED,
            state=State.DISABLED,
            what="its header says enabled: false, so no schedule and no sensor starts it",
            remedy=f"remove the key, or run it once: extract run {extract.extract}",
        )


def _attempt(facts: Facts, extract: ExtractFacts, attempt: Attempt) -> Iterator[Reason]:
    now = facts.deployment.at
    path = extract.extract
    of = f" of {attempt.partition}" if attempt.partition else ""
    run = f"run {attempt.run_id[:8]}{of}, {words.at(attempt.at, now)}"
    first = attempt.report.partition("\n")[0]
    evidence = f"{run}: {first}" if first else run
    if attempt.outcome is Outcome.FAILED:
        cause = f" ({attempt.cause})" if attempt.cause else ""
        kind = Kind.SUPERSEDED if attempt.cause == "superseded" else Kind.FAILED
        yield Reason(
            kind=kind,
            state=State.FAILED,
            what=f"its latest attempt failed{cause}",
            evidence=evidence,
            remedy=f"extract failed {path}, then extract rerun {path}",
        )
    elif attempt.outcome is Outcome.REFUSED:
        yield Reason(
            kind=Kind.REFUSED,
            state=State.REFUSED,
            what="an audit refused its latest result; readers keep the version before",
            evidence=evidence,
            remedy=f"fix the data or the rule, then extract rerun {path}; if the result is right: "
            f"extract release {path}",
        )
    elif attempt.outcome is Outcome.SKIPPED:
        yield Reason(
            kind=Kind.SKIPPED,
            state=State.FAILED,
            what="it was not tried, because an upstream extract failed in the same run",
            evidence=evidence,
            remedy="extract rerun --failed runs both, in order",
        )
    elif attempt.outcome is Outcome.CANCELLED:
        yield Reason(
            kind=Kind.CANCELLED,
            state=None,
            what="its newest run was cancelled",
            evidence=run,
            remedy=f"extract run {path}",
        )
    else:
        yield from _in_progress(facts, extract, attempt, run)


def _in_progress(
    facts: Facts, extract: ExtractFacts, attempt: Attempt, run: str
) -> Iterator[Reason]:
    deployment = facts.deployment
    pool = deployment.pools.get(extract.pool or "")
    queued = attempt.outcome is Outcome.QUEUED
    waits = pool is not None and (attempt.run_id in pool.waiting or (queued and pool.full))
    if waits and pool is not None:
        yield Reason(
            kind=Kind.POOL_FULL,
            state=State.HELD,
            what=f"it is queued behind the pool {extract.pool}, which is full",
            evidence=f"{run}; {pool.claimed} of {pool.limit} slots are in use",
            remedy="wait, or raise the limit: Deployment → Concurrency in the UI",
        )
    elif queued:
        limit = deployment.most_running
        full = limit is not None and deployment.running >= limit
        yield Reason(
            kind=Kind.QUEUED,
            state=State.HELD,
            what="its run is in the queue"
            + (f": {deployment.running} of at most {limit} runs are running" if full else ""),
            evidence=f"{run}; {deployment.queued} runs are in the queue",
            remedy="wait, or give it a higher priority" if full else "",
        )
        yield from _silent(facts, "QUEUED_RUN_COORDINATOR")
    else:
        usual = extract.success and extract.success.usual_seconds
        usually = f"; it usually takes {words.span(usual)}" if usual else ""
        yield Reason(
            kind=Kind.RUNNING,
            state=State.RUNNING,
            what="it is running",
            evidence=f"{run}{usually}",
            remedy=f"extract logs {extract.extract} shows what it does",
        )


def _late(extract: ExtractFacts, now: datetime) -> Iterator[Reason]:
    success, allowed = extract.success, extract.freshness_seconds
    if success is None or allowed is None or (now - success.at).total_seconds() <= allowed:
        return
    yield Reason(
        kind=Kind.LATE,
        state=State.LATE,
        what=f"its published version is {words.span(now - success.at)} old; "
        f"its header allows {words.span(allowed)}",
        evidence=f"last success {words.at(success.at, now)}, run {success.run_id[:8]}",
        remedy=f"extract run {extract.extract}",
    )


def _starting(facts: Facts, extract: ExtractFacts) -> Iterator[Reason]:
    """Why nothing has started it, and what will."""
    if any(each.outcome in (Outcome.QUEUED, Outcome.RUNNING) for each in extract.attempts):
        return
    if extract.trigger is Trigger.DEMAND:
        yield _on_demand(extract)
        return
    starter = facts.deployment.starters.get(extract.starter or "")
    broken = list(_broken(facts, extract, starter))
    missed = _missed_tick(extract, starter, facts.deployment.at)
    if missed is not None:
        yield _overdue(extract, missed, facts.deployment.at)
    yield from broken
    waiting = list(_waiting(facts, extract))
    yield from waiting
    if missed is None and not broken and not waiting:
        yield from _not_due(facts, extract)


def _broken(facts: Facts, extract: ExtractFacts, starter: Starter | None) -> Iterator[Reason]:
    """What keeps its schedule or sensor from starting it."""
    now = facts.deployment.at
    yield from _silent(facts, "SCHEDULER" if extract.trigger is Trigger.SCHEDULE else "SENSOR")
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


def _silent(facts: Facts, name: str) -> Iterator[Reason]:
    now = facts.deployment.at
    for daemon in facts.deployment.silent_daemons:
        if daemon.name == name:
            heard = daemon.last_heartbeat
            since = f"since {words.at(heard, now)}" if heard else "and never was heard of"
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
    if starter is not None and starter.since is not None and starter.since > tick:
        return None  # its schedule did not exist yet
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


def _waiting(facts: Facts, extract: ExtractFacts) -> Iterator[Reason]:
    """For which upstream extracts it waits, and why those are not ready."""
    since = extract.waiting_since
    for path in extract.waits_for:
        upstream = facts.extracts.get(path)
        tick = f" for the tick of {words.at(since, facts.deployment.at)}" if since else ""
        why = reasons(facts, path) if upstream is not None else []
        state = state_of(why) if why else State.FINE
        told = headline(why) if why else None
        if state in (State.RUNNING, State.HELD):
            kind, is_what = (
                Kind.UPSTREAM_RUNNING,
                "is running" if state is State.RUNNING else "is held",
            )
        elif state in (State.FAILED, State.REFUSED, State.INVALID):
            kind, is_what = Kind.UPSTREAM_FAILED, f"is {state.value}"
        else:
            kind, is_what = Kind.UPSTREAM_BEHIND, "has not run yet"
        yield Reason(
            kind=kind,
            state=State.WAITING,
            what=f"it waits{tick} for {path}, which {is_what}",
            evidence=f"{path}: {told.evidence or told.what}" if told else "",
            remedy=told.remedy if told else f"extract why {path}",
        )


def _not_due(facts: Facts, extract: ExtractFacts) -> Iterator[Reason]:
    now = facts.deployment.at
    starter = facts.deployment.starters.get(extract.starter or "")
    run = f"to run it now: extract run {extract.extract}"
    if extract.trigger is Trigger.UPSTREAM:
        shown = ", ".join(extract.depends_on[:_SHOWN])
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
        shown = ", ".join(extract.tables[:_SHOWN])
        yield Reason(
            kind=Kind.SOURCE_UNCHANGED,
            state=State.FINE,
            what=f"no table that it reads has changed: {shown}",
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


def _last_look(starter: Starter | None, now: datetime) -> str:
    if starter is None or starter.last_tick is None:
        return "nobody has looked yet"
    said = f": {_line(starter.last_skip)}" if starter.last_skip else ""
    return f"{starter.name} looked {words.ago(starter.last_tick, now)}{said}"


def _on_demand(extract: ExtractFacts) -> Reason:
    return Reason(
        kind=Kind.ON_DEMAND,
        state=State.FINE,
        what="it runs on demand: its header has neither a schedule nor depends_on",
        remedy=f"extract run {extract.extract}; for a schedule, add the key schedule",
    )


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]
