"""Convert the partitions of a header to Dagster's, and find the partition of a running step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.header.model import Header


def partitions_of(header: Header) -> dg.PartitionsDefinition[str] | None:
    """Dagster's definition of an extract's partitions; None if it has none."""
    partitions = header.partitions
    if partitions is None:
        return None
    if partitions.type == "static":
        return dg.StaticPartitionsDefinition(list(partitions.keys))
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule=partitions.cron,
        start=partitions.start,
        end=partitions.end,
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
    """The partitions that a tick at this time runs: the newest complete window, or all static
    keys."""
    definition = partitions_of(header)
    if definition is None:
        return [None]
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return definition.get_partition_keys()
    with dg.partition_loading_context(at):
        newest = definition.get_last_partition_key()
    return [] if newest is None else [newest]
