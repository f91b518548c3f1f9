"""Extracts that come after others (`depends_on`).

One with crons of its own waits, at each tick, until every extract before it has materialized since
*its* newest tick. One without runs when an extract before it has new data: another data version
than its own latest materialization was made from, whatever the time. Neither starts while an
extract before it is still running. A single sensor decides; its ticks say who waits for whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType
from pydantic import BaseModel

from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import (
    DATA_VERSION_TAG,
    get_input_data_version_tag,
)
from extract_project.orchestration.failed.attempts import State, unfinished_business
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.partitions import due_partitions, partitions_of
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.names.ticks import last_tick, ticks_between

_INTERVAL_SECONDS = 10
_CATCH_UP = 5
"""As many missed ticks of a partitioned extract are caught up as Dagster's schedules catch up."""
_SHOWN = 10

Extracts = Mapping[str, Extract]


class Waiting(BaseModel):
    """The ticks that one extract still has to run at."""

    seen: datetime
    """Later ticks than this have not been looked at."""
    ticks: tuple[datetime, ...] = ()


class DownstreamCursor(BaseModel):
    """What the sensor remembers from one evaluation to the next."""

    waiting: dict[str, Waiting] = {}


def waits_at_ticks(extract: Extract, extracts: Extracts) -> bool:
    """Whether an extract's schedule waits for others, and is therefore kept here."""
    header = extract.header
    return bool(header.enabled and header.crons and _upstream(extract, extracts))


def followers_of(extracts: Extracts) -> list[Extract]:
    """The extracts that come after others."""
    return [
        extract
        for extract in extracts.values()
        if extract.header.enabled
        and extract.header.depends_on
        and not extract.header.on_source_change
    ]


def following_sensor(extracts: Extracts) -> dg.SensorDefinition:
    """Launches what comes after others."""
    followers = followers_of(extracts)

    @dg.sensor(
        name="following",
        description="runs extracts that depend on others: at their ticks, or on new data",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(each.path) for each in followers] or None,
        jobs=None if followers else [],
    )
    def following(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not followers:
            return dg.SkipReason("no extract depends on another")
        cursor = DownstreamCursor.model_validate_json(context.cursor or "{}")
        seen = Seen.of(context.instance, extracts, followers)
        evaluation = evaluate(seen, followers, cursor, datetime.now(UTC))
        return dg.SensorResult(
            run_requests=evaluation.requests,
            skip_reason=None if evaluation.requests else evaluation.reason,
            cursor=evaluation.cursor.model_dump_json(),
        )

    return following


@dataclass
class Evaluation:
    """What one look at the followers came to."""

    cursor: DownstreamCursor
    requests: list[dg.RunRequest] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        if not self.held:
            return "nothing is due"
        more = f"; and {len(self.held) - _SHOWN} more" if len(self.held) > _SHOWN else ""
        return "; ".join(self.held[:_SHOWN]) + more


def evaluate(
    seen: Seen, followers: Sequence[Extract], cursor: DownstreamCursor, now: datetime
) -> Evaluation:
    """Decide for each follower; what waits is in the cursor again."""
    evaluation = Evaluation(DownstreamCursor())
    for extract in followers:
        if waits_at_ticks(extract, seen.extracts):
            known = cursor.waiting.get(extract.path, Waiting(seen=now))
            evaluation.cursor.waiting[extract.path] = _at_ticks(
                seen, extract, known, now, evaluation
            )
        elif not extract.header.crons:
            _on_new_data(seen, extract, evaluation)
    return evaluation


def _at_ticks(
    seen: Seen, extract: Extract, known: Waiting, now: datetime, evaluation: Evaluation
) -> Waiting:
    ticks = [*known.ticks, *ticks_between(extract.header, known.seen, now)]
    keep = _CATCH_UP if partitions_of(extract.header) else 1
    for late in ticks[:-keep]:
        evaluation.held.append(f"{extract.path}: the tick of {late:%F %H:%M} UTC was overtaken")
    waiting = []
    for tick in ticks[-keep:]:
        lacking = [each for each in seen.before(extract) if not seen.settled(each, tick)]
        if lacking:
            waiting.append(tick)
            names = ", ".join(each.path for each in lacking)
            evaluation.held.append(f"{extract.path} ({tick:%F %H:%M} UTC) waits for {names}")
            continue
        for partition in due_partitions(extract.header, tick):
            key = f"{extract.path} {tick.isoformat()}"
            request = run_request(key, [extract], partition, tick=tick.isoformat())
            evaluation.requests.append(request)
    return Waiting(seen=now, ticks=tuple(waiting))


def _on_new_data(seen: Seen, extract: Extract, evaluation: Evaluation) -> None:
    running = [each for each in seen.before(extract) if each.path in seen.running]
    if running or extract.path in seen.running:
        if running:
            names = ", ".join(each.path for each in running)
            evaluation.held.append(f"{extract.path} waits for {names}")
        return
    for partition, occasion in seen.new_data(extract):
        key = f"{extract.path} after {occasion}"
        evaluation.requests.append(run_request(key, [extract], partition, cause="upstream"))


def _upstream(extract: Extract, extracts: Extracts) -> list[Extract]:
    """The extracts that it depends on; an invalid or disabled one makes nobody wait."""
    found = [extracts[path] for path in extract.header.depends_on if path in extracts]
    return [each for each in found if each.header.enabled]


@dataclass(frozen=True)
class _Materialized:
    """The latest materialization of an extract, whichever partition it was of."""

    storage_id: int
    at: datetime
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """What the instance knows of the extracts that matter here, read at once."""

    instance: dg.DagsterInstance
    extracts: Extracts
    materialized: Mapping[str, _Materialized]
    running: frozenset[str]
    _settled: dict[tuple[str, datetime], bool] = field(default_factory=dict)
    """What `settled` has found: without it, each way through a diamond would ask again."""

    @classmethod
    def of(
        cls, instance: dg.DagsterInstance, extracts: Extracts, followers: Sequence[Extract]
    ) -> Seen:
        involved = {path: extracts[path] for path in _ancestry(followers, extracts)}
        keys = {asset_key(path): path for path in involved}
        materialized = {}
        for record in instance.get_asset_records(list(keys)):
            latest = record.asset_entry.last_materialization_record
            event = latest and latest.event_log_entry.asset_materialization
            if latest and event:
                materialized[keys[record.asset_entry.asset_key]] = _Materialized(
                    latest.storage_id,
                    datetime.fromtimestamp(latest.timestamp, UTC),
                    event.tags or {},
                )
        open_attempts = unfinished_business(instance, involved.values())
        running = (each.extract.path for each in open_attempts if each.state is State.RUNNING)
        return cls(instance, extracts, materialized, frozenset(running))

    def before(self, extract: Extract) -> list[Extract]:
        return _upstream(extract, self.extracts)

    def settled(self, extract: Extract, tick: datetime) -> bool:
        """Whether an extract has what a follower's tick may build upon."""
        known = self._settled.get((extract.path, tick))
        if known is None:
            known = self._settled[extract.path, tick] = self._is_settled(extract, tick)
        return known

    def _is_settled(self, extract: Extract, tick: datetime) -> bool:
        newest = last_tick(extract.header, tick)
        if newest is not None:
            return all(
                self._materialized_since(extract, partition, newest)
                for partition in due_partitions(extract.header, newest)
            )
        if extract.path in self.running or any(self.new_data(extract)):
            return False
        return all(self.settled(each, tick) for each in self.before(extract))

    def new_data(self, extract: Extract) -> Iterator[tuple[str | None, str]]:
        """The partitions that have not been made from what is upstream of them now.

        With each, a word for the occasion: the same as long as nothing upstream materializes.
        """
        upstream = self.before(extract)
        if not upstream or extract.header.crons or extract.header.on_source_change:
            return
        if any(each.path not in self.materialized for each in upstream):
            return
        if extract.header.partitions:
            yield from self._new_partitions(extract, upstream)
            return
        own = self.materialized.get(extract.path)
        if own is None or any(self._newer(each, own) for each in upstream):
            occasion = [str(self.materialized[each.path].storage_id) for each in upstream]
            yield None, ",".join(occasion)

    def _newer(self, upstream: Extract, own: _Materialized) -> bool:
        theirs = self.materialized[upstream.path]
        if upstream.header.partitions:  # one version of many is none to compare with
            return theirs.storage_id > own.storage_id
        made_from = own.tags.get(get_input_data_version_tag(asset_key(upstream.path)))
        return made_from != theirs.tags.get(DATA_VERSION_TAG)

    def _new_partitions(
        self, extract: Extract, upstream: Sequence[Extract]
    ) -> Iterator[tuple[str | None, str]]:
        """Partition by partition, where all of them have the same ones."""
        definition = partitions_of(extract.header)
        assert definition is not None
        if any(partitions_of(each.header) != definition for each in upstream):
            return
        own = self._latest_ids(extract)
        theirs = [self._latest_ids(each) for each in upstream]
        for key in sorted(set.intersection(*(set(each) for each in theirs))):
            ids = [each[key] for each in theirs]
            if max(ids) < own.get(key, 0) or not definition.has_partition_key(key):
                continue
            if key not in own or self._made_from_other_data(extract, upstream, key):
                yield key, ",".join(str(each) for each in ids)

    def _made_from_other_data(
        self, extract: Extract, upstream: Sequence[Extract], partition: str
    ) -> bool:
        made_from = self._latest_tags(extract, partition)
        return any(
            made_from.get(get_input_data_version_tag(asset_key(each.path)))
            != self._latest_tags(each, partition).get(DATA_VERSION_TAG)
            for each in upstream
        )

    def _latest_ids(self, extract: Extract) -> Mapping[str, int]:
        """Partition to the storage id of its latest materialization."""
        return self.instance.get_latest_storage_id_by_partition(
            asset_key(extract.path), DagsterEventType.ASSET_MATERIALIZATION
        )

    def _latest_tags(self, extract: Extract, partition: str) -> Mapping[str, str]:
        wanted = dg.AssetRecordsFilter(asset_key(extract.path), asset_partitions=[partition])
        for record in self.instance.fetch_materializations(wanted, limit=1).records:
            event = record.asset_materialization
            return (event.tags if event else None) or {}
        return {}

    def _materialized_since(self, extract: Extract, partition: str | None, at: datetime) -> bool:
        latest = self.materialized.get(extract.path)
        if latest is None or latest.at < at:
            return False
        if partition is None:
            return True
        since = dg.AssetRecordsFilter(
            asset_key=asset_key(extract.path),
            asset_partitions=[partition],
            after_timestamp=at.timestamp(),
        )
        return bool(self.instance.fetch_materializations(since, limit=1).records)


def _ancestry(followers: Sequence[Extract], extracts: Extracts) -> set[str]:
    """The followers and everything that they come after."""
    found: set[str] = set()
    coming = [each.path for each in followers]
    while coming:
        path = coming.pop()
        if path in extracts and path not in found:
            found.add(path)
            coming += extracts[path].header.depends_on
    return found
