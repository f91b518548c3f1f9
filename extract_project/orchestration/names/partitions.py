"""Convert the partitions of a header to Dagster's, and find the partition of a running step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition, Partitions
from extract_project.manifest.header.model import Header


def partitions_of(header: Header) -> dg.PartitionsDefinition[str] | None:
    """Dagster's definition of an extract's partitions; None if it has none."""
    partitions = header.partitions
    if partitions is None:
        return None
    if partitions.type == "static":
        return dg.StaticPartitionsDefinition(list(partitions.keys))
    return _windows(header, partitions, partitions.end)


def _windows(
    header: Header, partitions: Partitions, end: datetime | None
) -> dg.TimeWindowPartitionsDefinition:
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule=partitions.cron,
        start=partitions.start,
        end=end,
        fmt=partitions.key_format,
        timezone=header.partition_timezone,
    )


def partition_named(header: Header, key: str) -> Partition:
    """The partition with this key, with its time window."""
    definition = partitions_of(header)
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return Partition(key)
    window = definition.time_window_for_partition_key(key)
    earlier = definition.get_prev_partition_window(window.start)
    before = earlier and definition.get_partition_key_for_timestamp(earlier.start.timestamp())
    return Partition(key, window.start, window.end, before)


def partition_of(context: dg.AssetExecutionContext, extract: Extract) -> Partition | None:
    """The partition that a step was launched for."""
    if extract.header.partitions is None:
        return None
    return partition_named(extract.header, context.partition_key)


def due_partitions(header: Header, at: datetime) -> Sequence[str | None]:
    """The partitions that a tick at this time runs: the newest complete window, or all static keys.

    None when the newest window is after the `end` of the partitions: the last of them has run.
    """
    partitions, definition = header.partitions, partitions_of(header)
    if partitions is None or definition is None:
        return [None]
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return definition.get_partition_keys()
    with dg.partition_loading_context(at):
        newest = _windows(header, partitions, None).get_last_partition_key()
        return [newest] if newest and definition.has_partition_key(newest) else []


def are_over(header: Header, at: datetime) -> bool:
    """Whether no tick from this time on runs a partition, because the last one is over."""
    partitions = header.partitions
    if partitions is None or partitions.end is None or due_partitions(header, at):
        return False
    return partitions.end < at.astimezone(ZoneInfo(header.partition_timezone)).replace(tzinfo=None)
