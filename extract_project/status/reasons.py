"""Why an extract is in the state that it is in, each reason with its evidence and its remedy.

Everything follows from facts: the same facts give the same reasons on the command line, in a report
and for an assistant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from extract_project.manifest.names import named_elsewhere
from extract_project.outcome import Outcome
from extract_project.status import words
from extract_project.status.facts import Attempt, ExtractFacts, Facts
from extract_project.status.reason import Kind, Reason, State, headline, state_of
from extract_project.status.starting import on_demand, silent, starting


def reasons(facts: Facts, path: str) -> list[Reason]:
    """Why an extract of these facts is in its state, or does not run now; never empty.

    What concerns the whole deployment comes first, then what has happened, then what it waits for.
    """
    extract, now = facts.of(path), facts.deployment.at
    if extract.invalid:
        return [_invalid(extract)]
    found = [
        *_older_manifest(facts),
        *_disabled(extract),
        *(each for attempt in extract.attempts for each in _attempt(facts, extract, attempt)),
        *_late(extract, now),
    ]
    if extract.enabled:
        found += starting(facts, extract, list(_waiting(facts, extract)))
        found += _waits_not(extract)
    return found or [on_demand(extract)]


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
            what="an audit refused its latest result; readers keep the version before"
            if extract.success
            else "an audit refused its result, and nothing has been published before",
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
        yield from silent(facts, "QUEUED_RUN_COORDINATOR")
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


def _waits_not(extract: ExtractFacts) -> Iterator[Reason]:
    """For which upstream extracts it does not wait."""
    for path, state in extract.does_not_count.items():
        yield Reason(
            kind=Kind.UPSTREAM_OFF,
            state=None,
            what=f"it does not wait for {named_elsewhere(path, extract.elsewhere)}, which is "
            f"{state}",
            evidence="nothing waits for an extract that cannot run by itself",
            remedy=f"extract why {path}",
        )


def _waiting(facts: Facts, extract: ExtractFacts) -> Iterator[Reason]:
    """For which upstream extracts it waits, and why those are not ready."""
    since = extract.waiting_since
    for path in extract.waits_for:
        named = named_elsewhere(path, extract.elsewhere)
        tick = f" for the tick of {words.at(since, facts.deployment.at)}" if since else ""
        why = reasons(facts, path) if facts.has(path) else []
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
            what=f"it waits{tick} for {named}, which {is_what}",
            evidence=f"{path}: {told.evidence or told.what}" if told else "",
            remedy=told.remedy if told else f"extract why {path}",
        )
