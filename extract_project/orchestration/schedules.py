"""Schedules: each extract that is due in a run of its own, once per tick.

Extracts with the same crons and time zone share one schedule, so that five thousand extracts are
some dozens of ticks. A tick that was missed while nothing ran is caught up by Dagster's daemon
(`max_catchup_runs`, five by default), and the run key makes sure that no tick runs an extract
twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract
from extract_project.orchestration.keys import asset_key

_SHOWN = 20


def schedules(extracts: Iterable[Extract]) -> list[dg.ScheduleDefinition]:
    """One schedule per set of crons and time zone; running from the start."""
    groups: dict[tuple[tuple[str, ...], str], list[Extract]] = defaultdict(list)
    for extract in extracts:
        header = extract.header
        if header.enabled and header.schedule:
            groups[tuple(sorted(set(header.schedule))), header.timezone].append(extract)
    return [_schedule(crons, zone, due) for (crons, zone), due in sorted(groups.items())]


def _schedule(crons: tuple[str, ...], zone: str, due: Sequence[Extract]) -> dg.ScheduleDefinition:
    name = _name(crons, zone)
    paths = [extract.path for extract in due]
    job = dg.define_asset_job(name, selection=[asset_key(path) for path in paths])
    shown = ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=list(crons),
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{' and '.join(crons)} ({zone}), each in a run of its own: {shown}",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        at = context.scheduled_execution_time.isoformat()
        for path in paths:
            yield dg.RunRequest(
                run_key=f"{path} {at}",
                asset_selection=[asset_key(path)],
                tags={"extract/path": path, "extract/tick": at},
            )

    return tick


def _name(crons: tuple[str, ...], zone: str) -> str:
    """`at_0_6_all_all_all_utc_1a2b3c4d`: readable, and the same as long as the crons are."""
    words = re.sub(r"\W+", "_", f"{'_'.join(crons)}_{zone}".lower().replace("*", "all")).strip("_")
    digest = sha256(f"{crons}{zone}".encode()).hexdigest()[:8]
    return f"at_{words[:60]}_{digest}"
