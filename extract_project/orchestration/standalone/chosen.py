"""What one command materializes: extracts and their partitions, upstream before downstream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter

from extract_project.errors import ManifestError
from extract_project.manifest.example_partition import example_partition, require_partition
from extract_project.manifest.extract import Extract
from extract_project.manifest.names import cannot_run, expanded, name_of, no_extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.names.partitions import due_partitions, partitions_of


@dataclass(frozen=True)
class Chosen:
    """An extract, or one of its partitions, to materialize."""

    extract: Extract
    partition: str | None = None

    @property
    def name(self) -> str:
        """`sales/orders`, or `sales/orders 2026-01-01`."""
        return name_of(self.extract.path, self.partition)


def choose(
    snapshot: Snapshot,
    names: Sequence[str],
    partition: str | None = None,
    tick: datetime | None = None,
) -> list[Chosen]:
    """The extracts that the names and patterns mean, each with its partition.

    For a `tick` of the schedule, the partitions that are due then: none of an extract that is not
    enabled, whose schedule may be there until the next deploy-schedules. Raises ManifestError for a
    name without an extract, for an invalid extract, and for a missing or a wrong partition.
    """
    known = {each.path: each for each in snapshot.extracts}
    invalid = {each.path: each for each in snapshot.invalid}
    paths = expanded(names, known)
    for path in paths:
        if path in invalid:
            raise ManifestError(cannot_run(path, invalid[path].reasons))
        if path not in known:
            raise ManifestError(no_extract(path, known))
    return [
        Chosen(known[path], key)
        for path in _upstream_first(paths, known)
        for key in _partitions(known[path], partition, tick)
    ]


def _upstream_first(paths: Iterable[str], known: Mapping[str, Extract]) -> list[str]:
    """The paths in the order of their dependencies, also of those through others in between."""
    wanted = list(paths)
    involved = with_all_upstream([known[path] for path in wanted], known)
    graph = {path: involved[path].header.depends_on for path in sorted(involved)}
    return [path for path in TopologicalSorter(graph).static_order() if path in wanted]


def _partitions(
    extract: Extract, partition: str | None, tick: datetime | None
) -> Sequence[str | None]:
    if partition is not None:
        require_partition(extract, partition)
        _require_over(extract, partition)
        return [partition]
    if tick is not None and not extract.header.enabled:
        return []
    if tick is not None:
        return due_partitions(extract.header, tick)
    example = example_partition(extract)
    if example is not None:
        raise ManifestError(
            f"{extract.path} has partitions: choose one, as in --partition {example.key}, or the "
            f"one that is due at a time, as in --tick 2026-01-01T06:00"
        )
    return [None]


def _require_over(extract: Extract, partition: str) -> None:
    """Raise ManifestError for a window that is not over: a deployment has no such partition yet."""
    definition = partitions_of(extract.header)
    if definition is not None and not definition.has_partition_key(partition):
        last = definition.get_last_partition_key()
        raise ManifestError(
            f"{extract.path} has no partition {partition!r} yet, because its window is not over: "
            f"{f'the newest is {last}' if last else 'the first is not over either'}"
        )
