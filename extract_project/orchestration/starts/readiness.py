"""Decide whether the upstream extracts of an extract are ready, from what was observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import (
    DATA_VERSION_TAG,
    get_input_data_version_tag,
)
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.latest import Materialization
from extract_project.orchestration.names.partitions import due_partitions, partitions_of
from extract_project.orchestration.names.ticks import last_tick
from extract_project.orchestration.starts.observed import Observed

Extracts = Mapping[str, Extract]
"""Extracts by path."""


def upstream_of(extract: Extract, extracts: Extracts) -> list[Extract]:
    """The extracts that it depends on, without invalid or disabled ones, which nothing waits
    for."""
    found = [extracts[path] for path in extract.header.depends_on if path in extracts]
    return [each for each in found if each.header.enabled]


@dataclass(frozen=True)
class Readiness:
    """Tells which extracts are ready for their downstream extracts, at the observed moment."""

    extracts: Extracts
    observed: Observed
    _settled: dict[tuple[str, datetime], bool] = field(default_factory=dict)
    """Results of `settled`: without them, each path through a diamond would ask again."""

    @property
    def running(self) -> frozenset[str]:
        """The paths of extracts that are waiting, starting or running."""
        return self.observed.running

    def upstream(self, extract: Extract) -> list[Extract]:
        """The extracts that it depends on and has to wait for."""
        return upstream_of(extract, self.extracts)

    def settled(self, extract: Extract, tick: datetime) -> bool:
        """Whether an extract, and all upstream of it, is up to date for a tick further
        downstream."""
        known = self._settled.get((extract.path, tick))
        if known is None:
            known = self._settled[extract.path, tick] = self._is_settled(extract, tick)
        return known

    def _is_settled(self, extract: Extract, tick: datetime) -> bool:
        newest = last_tick(extract.header, tick)
        if newest is not None:
            return all(
                self.observed.materialized_since(extract, partition, newest)
                for partition in due_partitions(extract.header, newest)
            )
        if extract.path in self.running or any(self.new_data(extract)):
            return False
        return all(self.settled(each, tick) for each in self.upstream(extract))

    def new_data(self, extract: Extract) -> Iterator[tuple[str | None, str]]:
        """The partitions that were not made from the current upstream data.

        Each comes with a text that identifies the upstream state: it stays the same until something
        upstream materializes.
        """
        upstream = self.upstream(extract)
        materialized = self.observed.materialized
        if not upstream or extract.header.crons or extract.header.on_source_change:
            return
        if any(each.path not in materialized for each in upstream):
            return
        if extract.header.partitions:
            yield from self._new_partitions(extract, upstream)
            return
        own = materialized.get(extract.path)
        if own is None or any(self._is_newer(each, own) for each in upstream):
            occasion = [str(materialized[each.path].storage_id) for each in upstream]
            yield None, ",".join(occasion)

    def _is_newer(self, upstream: Extract, own: Materialization) -> bool:
        theirs = self.observed.materialized[upstream.path]
        if upstream.header.partitions:  # one version of many partitions tells nothing
            return theirs.storage_id > own.storage_id
        made_from = own.tags.get(get_input_data_version_tag(asset_key(upstream.path)))
        return made_from != theirs.tags.get(DATA_VERSION_TAG)

    def _new_partitions(
        self, extract: Extract, upstream: Sequence[Extract]
    ) -> Iterator[tuple[str | None, str]]:
        """New data partition by partition, for extracts with the same partitions."""
        definition = partitions_of(extract.header)
        assert definition is not None
        if any(partitions_of(each.header) != definition for each in upstream):
            return
        own = self.observed.latest_ids(extract)
        theirs = [self.observed.latest_ids(each) for each in upstream]
        for key in sorted(set.intersection(*(set(each) for each in theirs))):
            ids = [each[key] for each in theirs]
            if max(ids) < own.get(key, 0) or not definition.has_partition_key(key):
                continue
            if key not in own or self._is_made_from_other_data(extract, upstream, key):
                yield key, ",".join(str(each) for each in ids)

    def _is_made_from_other_data(
        self, extract: Extract, upstream: Sequence[Extract], partition: str
    ) -> bool:
        made_from = self.observed.latest_tags(extract, partition)
        return any(
            made_from.get(get_input_data_version_tag(asset_key(each.path)))
            != self.observed.latest_tags(each, partition).get(DATA_VERSION_TAG)
            for each in upstream
        )
