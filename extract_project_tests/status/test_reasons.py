"""What follows from facts: the state of an extract, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extract_project.outcome import Outcome
from extract_project.status.facts import (
    Attempt,
    Daemon,
    DeploymentFacts,
    ExtractFacts,
    Facts,
    Manifest,
    Pool,
    Starter,
    Success,
    Trigger,
)
from extract_project.status.reason import Kind, State, headline, state_of
from extract_project.status.reasons import reasons

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
TICK = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
RUN = "0123456789abcdef"
HEARD = tuple(
    Daemon(name=name, last_heartbeat=NOW)
    for name in ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")
)
MORNING = Starter(
    name="morning", kind="schedule", on=True, since=TICK - timedelta(days=9), last_tick=TICK
)
SCHEDULED: dict[str, Any] = {
    "trigger": Trigger.SCHEDULE,
    "starter": "morning",
    "schedule": "0 6 * * * (UTC)",
    "last_tick": TICK,
    "next_tick": TICK + timedelta(days=1),
}


def deployment(**changes: Any) -> DeploymentFacts:
    manifest = Manifest(snapshot="s", extracts=2)
    known = {"at": NOW, "url": "http://d", "manifest": manifest, "daemons": HEARD}
    return DeploymentFacts(**{**known, "starters": {"morning": MORNING}, **changes})


def extract(path: str = "a/b", **changes: Any) -> ExtractFacts:
    return ExtractFacts(extract=path, group="a", **changes)


def success(at: datetime) -> Success:
    return Success(at=at, run_id=RUN)


def attempt(outcome: Outcome, at: datetime = TICK, **changes: Any) -> Attempt:
    return Attempt(outcome=outcome, run_id=RUN, at=at, **changes)


def kinds(one: ExtractFacts, *others: ExtractFacts, **changes: Any) -> tuple[State, list[Kind]]:
    facts = Facts(
        deployment=deployment(**changes),
        extracts={each.extract: each for each in (one, *others)},
    )
    found = reasons(facts, one.extract)
    assert headline(found).state in (state_of(found), None)
    return state_of(found), [each.kind for each in found]


YESTERDAY = success(TICK - timedelta(days=1))
TODAY = success(TICK + timedelta(minutes=1))
OFF = {"starters": {"morning": MORNING.model_copy(update={"on": False})}}
SILENT = {"daemons": (Daemon(name="SCHEDULER", last_heartbeat=NOW - timedelta(minutes=50)),)}
NEW = {"starters": {"morning": Starter(name="morning", kind="schedule", on=False)}}
ADDED = {"starters": {"morning": MORNING.model_copy(update={"since": NOW, "last_tick": None})}}
RESUMED = {
    "starters": {
        "morning": MORNING.model_copy(update={"since": NOW, "last_tick": TICK - timedelta(days=1)})
    }
}
UNTICKED = {
    "starters": {"morning": MORNING.model_copy(update={"last_tick": TICK - timedelta(days=1)})}
}
BROKEN = {
    "starters": {"morning": MORNING.model_copy(update={"last_error": "no such bucket\nat …"})}
}


@pytest.mark.parametrize(
    ("facts", "changes", "expected"),
    [
        ({}, {}, (State.FINE, [Kind.ON_DEMAND])),
        ({**SCHEDULED, "success": TODAY}, {}, (State.FINE, [Kind.NOT_DUE])),
        ({"invalid": ("a/b.sql:1:1: no",)}, {}, (State.INVALID, [Kind.INVALID])),
        ({"enabled": False}, {}, (State.DISABLED, [Kind.DISABLED])),
        ({**SCHEDULED, "success": YESTERDAY}, {}, (State.OVERDUE, [Kind.TICK_MISSED])),
        ({**SCHEDULED, "success": TODAY}, OFF, (State.DISABLED, [Kind.STARTER_OFF])),
        (
            {**SCHEDULED, "success": YESTERDAY},
            OFF,
            (State.OVERDUE, [Kind.TICK_MISSED, Kind.STARTER_OFF]),
        ),
        (
            {**SCHEDULED, "success": YESTERDAY},
            SILENT,
            (State.OVERDUE, [Kind.TICK_MISSED, Kind.DAEMON_SILENT]),
        ),
        (
            {**SCHEDULED, "success": YESTERDAY},
            BROKEN,
            (State.OVERDUE, [Kind.TICK_MISSED, Kind.TICK_FAILED]),
        ),
        # Its schedule ticked before the file was there, or did not tick although it was there.
        (SCHEDULED, {}, (State.FINE, [Kind.NOT_DUE])),
        (SCHEDULED, UNTICKED, (State.OVERDUE, [Kind.TICK_MISSED])),
        (SCHEDULED, NEW, (State.DISABLED, [Kind.STARTER_OFF])),
        ({**SCHEDULED, "success": YESTERDAY}, ADDED, (State.FINE, [Kind.NOT_DUE])),
        ({**SCHEDULED, "success": YESTERDAY}, RESUMED, (State.OVERDUE, [Kind.TICK_MISSED])),
        (
            {**SCHEDULED, "success": YESTERDAY, "freshness_seconds": 3600},
            {},
            (State.LATE, [Kind.LATE, Kind.TICK_MISSED]),
        ),
        (
            {"success": YESTERDAY, "freshness_seconds": 90_000 + 3_600},
            {},
            (State.FINE, [Kind.ON_DEMAND]),
        ),
    ],
)
def test_state_and_reasons(
    facts: dict[str, Any], changes: dict[str, Any], expected: tuple[State, list[Kind]]
) -> None:
    assert kinds(extract(**facts), **changes) == expected


def test_a_tick_is_missed_only_after_some_time() -> None:
    waiting = extract(
        **{**SCHEDULED, "success": YESTERDAY, "last_tick": NOW - timedelta(minutes=1)}
    )
    assert kinds(waiting) == (State.FINE, [Kind.NOT_DUE])


def test_attempts_come_before_what_starts_it() -> None:
    failed = attempt(Outcome.FAILED, cause="network", report="no route\nmore")
    assert kinds(extract(**SCHEDULED, attempts=(failed,))) == (
        State.FAILED,
        [Kind.FAILED, Kind.NOT_DUE],
    )
    refused = attempt(Outcome.REFUSED)
    assert kinds(extract(attempts=(refused,)))[0] is State.REFUSED
    for known, told in ((None, "nothing has been published before"), (YESTERDAY, "readers keep")):
        one = extract(success=known, attempts=(refused,))
        found = reasons(Facts(deployment=deployment(), extracts={one.extract: one}), one.extract)
        assert told in headline(found).what
    cancelled = extract(**SCHEDULED, success=YESTERDAY, attempts=(attempt(Outcome.CANCELLED),))
    assert kinds(cancelled) == (State.OVERDUE, [Kind.CANCELLED, Kind.TICK_MISSED])


def test_a_run_is_held_by_a_full_pool_or_by_the_queue() -> None:
    queued = extract(pool="snow", attempts=(attempt(Outcome.QUEUED),))
    full = Pool(limit=2, claimed=2)
    assert kinds(queued, pools={"snow": full}) == (State.HELD, [Kind.POOL_FULL])
    assert kinds(queued, pools={"snow": Pool(limit=2, claimed=1)}) == (State.HELD, [Kind.QUEUED])
    running = extract(pool="snow", attempts=(attempt(Outcome.RUNNING),))
    assert kinds(running, pools={"snow": full}) == (State.RUNNING, [Kind.RUNNING])
    stepping = full.model_copy(update={"waiting": (RUN,)})
    assert kinds(running, pools={"snow": stepping}) == (State.HELD, [Kind.POOL_FULL])


def test_waiting_names_what_the_upstream_extract_is_doing() -> None:
    waits = extract(
        depends_on=("a/up",),
        trigger=Trigger.TICK_AFTER_UPSTREAM,
        starter="following",
        last_tick=TICK,
        waiting_since=TICK,
        waits_for=("a/up",),
    )
    assert kinds(waits, extract("a/up")) == (State.WAITING, [Kind.UPSTREAM_BEHIND])
    running = extract("a/up", attempts=(attempt(Outcome.RUNNING),))
    assert kinds(waits, running) == (State.WAITING, [Kind.UPSTREAM_RUNNING])
    failed = extract("a/up", attempts=(attempt(Outcome.FAILED, report="no route"),))
    facts = Facts(deployment=deployment(), extracts={"a/b": waits, "a/up": failed})
    (reason,) = reasons(facts, "a/b")
    assert reason.kind is Kind.UPSTREAM_FAILED
    assert "a/up" in reason.what
    assert "no route" in reason.evidence
    assert "rerun a/up" in reason.remedy


def test_what_would_make_it_run_is_said() -> None:
    following = extract(
        trigger=Trigger.UPSTREAM, depends_on=("a/up",), starter="following", success=YESTERDAY
    )
    assert kinds(following, extract("a/up")) == (State.FINE, [Kind.NOTHING_NEW_UPSTREAM])
    due = following.model_copy(update={"new_upstream": True})
    assert kinds(due, extract("a/up")) == (State.WAITING, [Kind.DUE])
    deaf = {"daemons": (Daemon(name="SENSOR"),)}
    assert kinds(due, extract("a/up"), **deaf) == (State.OVERDUE, [Kind.DUE, Kind.DAEMON_SILENT])
    looked = Starter(name="sources_snow", kind="sensor", on=True, last_tick=NOW, last_skip="none")
    watching = extract(trigger=Trigger.SOURCE, tables=("shop.orders",), starter="sources_snow")
    facts = Facts(
        deployment=deployment(starters={"sources_snow": looked}), extracts={"a/b": watching}
    )
    (reason,) = reasons(facts, "a/b")
    assert reason.kind is Kind.SOURCE_UNCHANGED
    assert "shop.orders" in reason.what
    assert reason.evidence == "sources_snow looked 0 s ago: none"


def test_an_older_manifest_explains_but_sets_no_state() -> None:
    refused = Manifest(snapshot="s", extracts=1, refused="a/x.sql: two of one name")
    assert kinds(extract(**SCHEDULED, success=TODAY), manifest=refused) == (
        State.FINE,
        [Kind.OLDER_MANIFEST, Kind.NOT_DUE],
    )
