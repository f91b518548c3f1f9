"""Lanes: each takes a result to those of its destinations that get the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from extract_project.errors import ExtractError, IncrementError
from extract_project.history.cursor import ordinal
from extract_project.history.parts import Refresh
from extract_project.manifest.extract import Extract
from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.provenance import RunOfExtract
from extract_project.publish.base import Base, find_base
from extract_project.publish.clock import Clock
from extract_project.publish.cutting import PartFiles
from extract_project.publish.output import OneObject
from extract_project.publish.parted import PartedOutput
from extract_project.publish.places import Branch, require_one
from extract_project.publish.writer import OneFile, Writer
from extract_project.values import Value


@dataclass(frozen=True)
class Lane:
    """Destinations that get the same rows, encoded once."""

    run: RunOfExtract
    """The run, with the published rows to which it adds, if there are any."""
    branches: Sequence[Branch]
    bases: Sequence[Base | None]
    """The published rows at each destination, in the order of `branches`."""
    writer: Writer
    baseline: PublishedBaseline
    """The baseline of the first destination that can be read."""

    @property
    def is_alive(self) -> bool:
        return any(each.is_alive for each in self.branches)

    def begin(self, schema: pa.Schema, query_id: str | None) -> None:
        """Set what is known before the first row; `schema` is the file's."""
        for branch in self.branches:
            if branch.output is not None:
                facts = self.run.facts(query_id, schema, branch.place.target.store)
                branch.output.begin(schema, facts)
        self.writer.begin(schema)


def open_lanes(run: RunOfExtract, branches: Sequence[Branch], clock: Clock) -> list[Lane]:
    """Group the destinations that have equal published rows, in the order of `branches`.

    Each group is a lane. An extract that is not incremental has one lane.
    """
    bases = [_base(run, branch) for branch in branches]
    refresh = _require_refreshed(run.extract, branches, bases)
    require_one(branches)
    equal: dict[Any, list[tuple[Branch, Base | None]]] = defaultdict(list)
    for branch, base in zip(branches, bases, strict=True):
        if branch.is_alive:
            equal[base and base.identity].append((branch, base))
    return [_lane(run, members, refresh, clock) for members in equal.values()]


def _base(run: RunOfExtract, branch: Branch) -> Base | None:
    if branch.is_alive and not run.provenance.full_refresh:
        with branch.health.noting(ExtractError):
            return find_base(run.extract, branch.previous)
    return None


def _require_refreshed(
    extract: Extract, branches: Sequence[Branch], bases: Sequence[Base | None]
) -> Refresh | None:
    """Leave out each destination without the last full refresh of the others; returns that refresh.

    A run that added rows there would be green, although its earlier rows are not those of the
    refresh.
    """
    known = [base.manifest.refresh for base in bases if base and base.manifest.refresh]
    last = max(known, key=lambda each: each.started_at, default=None)
    for branch, base in zip(branches, bases, strict=True):
        if last is None or base is None:
            continue
        own = base.manifest.refresh
        if own is None or own.data_sha256 != last.data_sha256:
            branch.health.error = IncrementError(
                f"{branch.place.target.uri} has rows from before the full refresh of "
                f"{last.started_at:%Y-%m-%d %H:%M:%S} UTC, which other destinations have; to "
                f"publish everything anew, run: extract run {extract.path} --full-refresh"
            )
    return last


def lowest_bound(lanes: Sequence[Lane]) -> Value:
    """The value of `:watermark`: the lowest watermark of all destinations; None for all rows."""
    bases = [lane.run.base for lane in lanes]
    known = [base for base in bases if base is not None]
    if len(known) < len(bases) or len({(each.cursor.type) for each in known}) != 1:
        return None
    return min(known, key=lambda base: ordinal(base.watermark)).bound


def _lane(
    run: RunOfExtract,
    members: Sequence[tuple[Branch, Base | None]],
    refresh: Refresh | None,
    clock: Clock,
) -> Lane:
    """Open an output at each destination, with the published rows that it has."""
    branches, bases = zip(*members, strict=True)
    run = replace(run, base=bases[0])
    header, file_format = run.extract.header, run.extract.file_format
    writer: Writer
    if header.has_parts:
        parted = []
        for branch, base in members:
            output = PartedOutput(
                branch.place.target,
                file_format,
                branch.health,
                incremental=header.incremental,
                base=base,
                refresh="this" if run.provenance.full_refresh else refresh,
            )
            parted.append(output)
            branch.open(output)
        writer = PartFiles(
            parted,
            file_format,
            clock,
            split=header.split,
            incremental=header.incremental,
            adds=run.base is not None,
        )
    else:
        whole = []
        for branch in branches:
            one = OneObject(branch.place.target, file_format.content_type, branch.health)
            whole.append(one)
            branch.open(one)
        writer = OneFile(whole, file_format, clock)
    return Lane(run, branches, bases, writer, _baseline(run, branches))


def _baseline(run: RunOfExtract, branches: Sequence[Branch]) -> PublishedBaseline:
    """Return the baseline of the first destination that can be read."""
    for branch in branches:
        place, provenance = branch.place, run.provenance
        baseline = PublishedBaseline(
            place.state,
            run.extract,
            place.target,
            provenance.partition,
            version=branch.previous,
            full_refresh=provenance.full_refresh,
        )
        with branch.health.noting():
            baseline.look()
        if branch.is_alive:
            break
    return baseline
