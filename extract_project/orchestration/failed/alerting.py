"""The sensor for alerts: extracts that failed, were refused, have recovered, or are stale.

It compares the current failures with those already reported, so that neither a restart nor a missed
tick loses or repeats an alert. One outage is one message: new failures are held for two minutes,
and further ones of a cause that was just reported for half an hour. Each channel has its own
memory: one that cannot be reached, or refuses a message, gets it when it works again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import BaseModel

from extract_project.alerts.channels import Channel
from extract_project.alerts.message import Alert, Kind, compose
from extract_project.errors import AlertError, Cause
from extract_project.manifest.extract import Extract
from extract_project.orchestration.failed.attempts import (
    LatestAttempt,
    State,
    explained,
    unfinished_business,
)
from extract_project.orchestration.names.keys import asset_key
from extract_project.settings import Settings

_INTERVAL_SECONDS = 30
_GATHERED = timedelta(minutes=2)
"""How long new failures are collected before the first message."""
_QUIET = timedelta(minutes=30)
"""How long failures of the same cause are held after a message, and all after a refused one."""
_STALE = "stale"
_RECOVERED = "recovered"


class Memory(BaseModel):
    """The alerts that one channel has been sent."""

    failing: dict[str, str] = {}
    """Name of each extract whose failure was reported, mapped to the failed run."""
    stale: dict[str, str] = {}
    """Name of each extract reported as stale, mapped to its materialization."""
    since: dict[str, datetime] = {}
    """Each cause with unreported failures, mapped to the time when the first was seen."""
    told_at: dict[str, datetime] = {}
    """Each cause, mapped to the time of the last message about it."""
    refused_at: datetime | None = None
    """When the channel last refused a message; None if it has accepted one since."""


class AlertsCursor(BaseModel):
    """The memory of each channel, by its name."""

    channels: dict[str, Memory] = {}


@dataclass(frozen=True)
class Trouble:
    """Everything that is wrong at one moment."""

    failing: Mapping[str, LatestAttempt]
    """Failed attempts, by the name of the extract and its partition, if it has one."""
    running: frozenset[str]
    """Names of extracts that are waiting or running: neither failed nor successful."""
    stale: Mapping[str, str]
    """Name of each stale extract, mapped to its materialization."""
    known: frozenset[str]
    """Paths of all extracts. One that has been removed has not recovered."""


@dataclass(frozen=True)
class News:
    """The alerts that one channel has not been sent yet."""

    failing: tuple[LatestAttempt, ...]
    recovered: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def causes(self) -> set[str]:
        """The causes of all alerts; empty if there are no alerts."""
        causes = {_cause(attempt) for attempt in self.failing}
        return (
            causes
            | ({_RECOVERED} if self.recovered else set())
            | ({_STALE} if self.stale else set())
        )


def alert_sensor(extracts: Iterable[Extract], settings: Settings) -> dg.SensorDefinition:
    """The sensor that sends alerts to the configured channels."""
    known = list(extracts)
    channels = settings.alerts.channels
    names = ", ".join(channel.name for channel in channels)

    @dg.sensor(
        name="alerts",
        description=f"alerts {names}: extracts that failed, were refused, recovered, or are stale",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        cursor = AlertsCursor.model_validate_json(context.cursor or "{}")
        trouble = look(context.instance, known, now)

        def deliver(channel: Channel) -> tuple[Memory, str]:
            return tell(channel, cursor.channels.get(channel.name), trouble, settings, now)

        with ThreadPoolExecutor(len(channels)) as pool:
            outcomes = list(pool.map(deliver, channels))
        told = zip(channels, outcomes, strict=True)
        memories = {channel.name: memory for channel, (memory, _) in told}
        context.update_cursor(AlertsCursor(channels=memories).model_dump_json())
        return dg.SkipReason("; ".join(said for _, said in outcomes))

    return alerts


def look(instance: dg.DagsterInstance, extracts: Sequence[Extract], now: datetime) -> Trouble:
    """Find everything that is wrong now."""
    attempts = unfinished_business(instance, extracts)
    dated = {asset_key(each.path): each for each in extracts if each.header.freshness}
    stale = {}
    for record in instance.get_asset_records(list(dated)) if dated else ():
        extract = dated[record.asset_entry.asset_key]
        latest = record.asset_entry.last_materialization_record
        if latest and extract.header.freshness:
            age = now - datetime.fromtimestamp(latest.timestamp, UTC)
            if age > extract.header.freshness:
                stale[extract.path] = str(latest.storage_id)
    return Trouble(
        {each.name: explained(instance, each) for each in attempts if each.state is State.FAILED},
        frozenset(each.name for each in attempts if each.state is State.RUNNING),
        stale,
        frozenset(extract.path for extract in extracts),
    )


def tell(
    channel: Channel, memory: Memory | None, trouble: Trouble, settings: Settings, now: datetime
) -> tuple[Memory, str]:
    """Send the alerts that are due; returns the channel's new memory, and a reason for the tick."""
    if memory is None:  # failures from before the channel was configured are not reported
        return _knowing(Memory(), trouble), f"{channel.name}: listening from now on"
    news = news_for(memory, trouble)
    memory = _gathering(memory, news, now)
    if not news.causes:
        return memory, f"{channel.name}: nothing new"
    if memory.refused_at and now - memory.refused_at < _QUIET:
        return memory, f"{channel.name}: refused the last message; will be tried again"
    if not _is_due(memory, trouble, now):
        return memory, f"{channel.name}: {len(news.failing)} failures, held to collect more"
    # A message includes alerts that could still wait: one message instead of two.
    message = compose(_alerts(news, settings), settings.data.uri)
    said = message.subject
    try:
        channel.send(message)
    except AlertError as error:
        if error.transient:
            return memory, f"{channel.name}: not reached, will be tried again: {error}"
        if not error.partly:  # no recipient has the message; it is sent again later
            return memory.model_copy(update={"refused_at": now}), str(error)
        said = str(error)
    told_at = {**memory.told_at, **dict.fromkeys(news.causes, now)}
    return _knowing(Memory(told_at=told_at, failing=memory.failing), trouble), said


def news_for(memory: Memory, trouble: Trouble) -> News:
    """The differences between the current state and what the channel has been sent."""
    failing = (
        attempt
        for name, attempt in sorted(trouble.failing.items())
        if memory.failing.get(name) != attempt.run_id
    )
    gone = memory.failing.keys() - trouble.failing.keys() - trouble.running
    recovered = (name for name in sorted(gone) if name.partition(" ")[0] in trouble.known)
    stale = (name for name, at in sorted(trouble.stale.items()) if memory.stale.get(name) != at)
    return News(tuple(failing), tuple(recovered), tuple(stale))


def _gathering(memory: Memory, news: News, now: datetime) -> Memory:
    since = {cause: memory.since.get(cause, now) for cause in news.causes}
    return memory.model_copy(update={"since": since})


def _is_due(memory: Memory, trouble: Trouble, now: datetime) -> bool:
    over = not trouble.failing and not trouble.running
    return any(
        now - since >= _GATHERED
        and (over or cause not in memory.told_at or now - memory.told_at[cause] >= _QUIET)
        for cause, since in memory.since.items()
    )


def _knowing(memory: Memory, trouble: Trouble) -> Memory:
    """The memory of a channel that has been sent everything."""
    still_open = {n: run for n, run in memory.failing.items() if n in trouble.running}
    failing = {name: attempt.run_id for name, attempt in trouble.failing.items()}
    return Memory(failing=failing | still_open, stale=dict(trouble.stale), told_at=memory.told_at)


def _alerts(news: News, settings: Settings) -> list[Alert]:
    url = settings.dagster_url.rstrip("/")
    alerts = [
        Alert(
            kind=Kind.REFUSED if attempt.cause is Cause.AUDIT else Kind.FAILED,
            extract=attempt.extract.path,
            partition=attempt.partition,
            cause=_cause(attempt),
            failure_report=attempt.failure_report,
            run_url=f"{url}/runs/{attempt.run_id}",
            run_id=attempt.run_id,
        )
        for attempt in news.failing
    ]
    for kind, names in ((Kind.RECOVERED, news.recovered), (Kind.STALE, news.stale)):
        for name in names:
            path, _, partition = name.partition(" ")
            page = f"{url}/assets/{path}"
            alerts.append(Alert(kind, path, partition or None, kind.value, "", page, None))
    return alerts


def _cause(attempt: LatestAttempt) -> str:
    return (attempt.cause or Cause.OURS).value
