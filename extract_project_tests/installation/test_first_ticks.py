"""New schedules run at their first tick, with Dagster's own daemon and the clock on the wall."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from extract_project_tests.support.installation import Installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.soak

_SECONDS = 150


def _every_minute(zone: str) -> str:
    """A cron with a time zone of its own is a schedule of its own."""
    return f"/*---\nschedule: '* * * * *'\ntimezone: {zone}\n---*/\nselect 1 as a"


FILES = {"first_ticks/before": _every_minute("Asia/Tokyo")}


def _ticks(installed: Installation, path: str) -> Counter[datetime]:
    runs = installed.runs(path)
    return Counter(datetime.fromisoformat(run.tags["extract/tick"]) for run in runs)


def test_a_schedule_runs_at_the_tick_less_than_a_minute_away(installed: Installation) -> None:
    """One is live before the tick, one while it passes, and one joins a schedule meanwhile."""
    new, crossing, joining = (f"first_ticks/{name}" for name in ("new", "crossing", "joining"))
    after_ = "/*---\nschedule: '* * * * *'\ndepends_on: [first_ticks/before]\n---*/\nselect 1 as a"
    await_value("an old schedule", lambda: _ticks(installed, "first_ticks/before"), _SECONDS)

    def second(wanted: float) -> bool:
        now = datetime.now(UTC)
        return wanted <= now.second + now.microsecond / 1e6 < wanted + 1

    await_value("the moment before a minute", lambda: second(40), 70)
    tick = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    installed.site.put_sql(new, _every_minute("Asia/Seoul"))
    await_value("the last seconds of the minute", lambda: second(56), 20)
    installed.site.put_sql(crossing, _every_minute("Asia/Manila"))
    installed.site.put_sql(joining, _every_minute("Asia/Tokyo"))
    installed.site.put_sql("first_ticks/downstream", after_)
    later = tick + timedelta(minutes=1)
    paths = (new, crossing, joining, "first_ticks/downstream")

    def all_ran(at: datetime) -> bool:
        return all(at in _ticks(installed, path) for path in paths)

    await_value(f"all of them at {tick}", lambda: all_ran(tick), _SECONDS)
    await_value("all of them a minute later", lambda: all_ran(later), _SECONDS)
    for path in paths:
        ran = _ticks(installed, path)
        assert (min(ran), set(ran.values())) == (tick, {1}), path
    for path in (*paths, "first_ticks/before"):
        installed.site.put_sql(path, "select 1 as a")
