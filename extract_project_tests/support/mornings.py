"""Made-up facts and activity of many extracts in one morning, of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from extract_project.operations.activity import Activity, Bar, Result
from extract_project.operations.part import Part
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

NOW = datetime(2026, 11, 25, 6, 10, tzinfo=UTC)
URL, OTHER_URL = "http://dagster.example:3000", "http://crm.example:3000"
MANIFEST, OTHER_MANIFEST = "s3://acme-sql/sql", "s3://acme-crm/sql"
MALICE = "<img src=x onerror=document.title='broken'></script><b>bold</b>"
"""Text that a page must show literally, wherever it comes from."""


def ago(**distance: float) -> datetime:
    return NOW - timedelta(**distance)


def extract(path: str, **facts: object) -> ExtractFacts:
    known: dict[str, object] = {
        "extract": path,
        "group": path.partition("/")[0],
        "owners": ("team:logistics",),
        "trigger": Trigger.SCHEDULE,
        "starter": "daily_06_00_utc",
        "schedule": "daily at 06:00 (UTC)",
        "success": Success(at=ago(minutes=8), run_id="ok", rows=1200, seconds=30),
        "last_tick": ago(minutes=10),
        "next_tick": ago(hours=-23.8),
    }
    return ExtractFacts.model_validate({**known, **facts})


def morning(fine: int = 12) -> tuple[Facts, Activity]:
    """One extract in each state, and `fine` more that are fine."""
    old = Success(at=ago(hours=31), run_id="old", rows=900, seconds=25)
    failed = Attempt(
        outcome=Outcome.FAILED,
        run_id="f0000000",
        at=ago(minutes=9),
        cause="sql",
        report=f"sales/renamed.sql:3:8: column amount does not exist {MALICE}",
    )
    refused = Attempt(
        outcome=Outcome.REFUSED,
        run_id="a0000000",
        at=ago(minutes=7),
        cause="audit refused",
        report="sales/by_day.sql:4:5: order_id unique: broken by 2 keys",
    )
    running = Attempt(outcome=Outcome.RUNNING, run_id="b0000000", at=ago(minutes=5))
    queued = Attempt(outcome=Outcome.QUEUED, run_id="c0000000", at=ago(minutes=4))
    extracts = [
        extract("sales/renamed", success=old, attempts=(failed,)),
        extract("sales/by_day", success=old, attempts=(refused,)),
        extract("ops/typo", invalid=("ops/typo.sql:2:1: unknown key 'shedule'",), success=None),
        extract("finance/revenue", success=old, freshness_seconds=86_400, last_tick=None),
        extract("ops/missed", success=old),
        extract("sales/summary", waits_for=("sales/by_day",), waiting_since=ago(minutes=10)),
        extract("sales/held", pool="snow", attempts=(queued,)),
        extract("sales/orders_of_all_countries_and_channels_by_day", attempts=(running,)),
        extract("ops/off", enabled=False),
        *(extract(f"fine/extract_{number:04}") for number in range(fine)),
    ]
    facts = Facts(
        deployment=DeploymentFacts(
            at=NOW,
            url=URL,
            manifest=Manifest(snapshot="s", extracts=len(extracts)),
            daemons=(Daemon(name="SENSOR", last_heartbeat=ago(minutes=30)),),
            starters={
                "daily_06_00_utc": Starter(
                    name="daily_06_00_utc", kind="schedule", on=True, last_tick=ago(minutes=10)
                ),
                "hourly_utc": Starter(name="hourly_utc", kind="schedule", on=False),
            },
            pools={"snow": Pool(limit=8, claimed=8, waiting=("c0000000",))},
            queued=3,
            running=9,
            most_running=25,
        ),
        extracts={each.extract: each for each in extracts},
    )
    return facts, activity(facts)


def activity(facts: Facts) -> Activity:
    """Three runs a day of each extract, and the runs of its attempts."""
    bars, results = [], []
    for number, path in enumerate(facts.extracts):
        for hour in (0.1, 8.1, 16.1):
            start = ago(hours=hour, minutes=number % 7)
            end = min(start + timedelta(minutes=4 + 9 * (number % 4)), ago(minutes=1))
            outcome = Outcome.CANCELLED if number == 9 and hour > 16 else Outcome.SUCCEEDED
            bars.append(
                (path, Bar(run_id=f"{number}-{hour}", outcome=outcome, start=start, end=end))
            )
        for day in range(30):
            seconds = 20 + (day * (number + 3)) % 17 + (200 if (day, number) == (3, 4) else 0)
            at = ago(days=day, minutes=5)
            results.append((path, Result(at=at, seconds=seconds, rows=1000 + 40 * (30 - day))))
    outcomes = {"f0000000": Outcome.FAILED, "a0000000": Outcome.REFUSED}
    outcomes |= {"b0000000": Outcome.RUNNING, "c0000000": Outcome.QUEUED}
    for path, each in facts.extracts.items():
        for attempt in each.attempts:
            outcome = outcomes[attempt.run_id]
            ended = outcome in (Outcome.FAILED, Outcome.REFUSED)
            bar = Bar(
                run_id=attempt.run_id,
                outcome=outcome,
                start=attempt.at,
                end=attempt.at + timedelta(minutes=1) if ended else None,
                cause=attempt.cause,
            )
            bars.append((path, bar))
    return Activity().with_runs(bars).with_results(results)


def morning_part(fine: int = 12) -> Part:
    """The same morning, as a part of the page of operations."""
    facts, known = morning(fine)
    return Part(manifest=MANIFEST, facts=facts, activity=known)


def other_part(seen: datetime) -> Part:
    """Another team's part, as its code location last saw it: one extract failed, one is fine."""
    failed = Attempt(
        outcome=Outcome.FAILED, run_id="d0000000", at=seen, cause="sql", report="no such day"
    )
    extracts = [
        extract("crm/contacts", owners=("team:crm",), attempts=(failed,)),
        extract("crm/calls", owners=("team:crm",)),
    ]
    facts = Facts(
        deployment=DeploymentFacts(
            at=seen, url=OTHER_URL, manifest=Manifest(snapshot="o", extracts=len(extracts))
        ),
        extracts={each.extract: each for each in extracts},
    )
    bar = Bar(run_id="d0000000", outcome=Outcome.FAILED, start=seen, end=seen)
    activity = Activity().with_runs([("crm/contacts", bar)])
    return Part(manifest=OTHER_MANIFEST, facts=facts, activity=activity)
