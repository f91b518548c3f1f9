"""The way of a result to those of its destinations that get the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.provenance import RunOfExtract
from extract_project.publish.base import Base
from extract_project.publish.clock import Clock
from extract_project.publish.cutting import PartFiles
from extract_project.publish.output import OneObject
from extract_project.publish.parted import PartedOutput
from extract_project.publish.places import Branch
from extract_project.publish.writer import OneFile, Writer


@dataclass(frozen=True)
class Lane:
    """Destinations that get the same rows, encoded once."""

    run: RunOfExtract
    """With the published rows to which these are added, if there are any."""
    branches: Sequence[Branch]
    writer: Writer
    baseline: PublishedBaseline
    """Of the first of them."""

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


def open_lane(
    run: RunOfExtract, branches: Sequence[Branch], bases: Sequence[Base | None], clock: Clock
) -> Lane:
    """Open an output at each of the branches, whose published rows are equal, and are `bases`."""
    header, file_format = run.extract.header, run.extract.file_format
    writer: Writer
    if header.has_parts:
        parted = []
        for branch, base in zip(branches, bases, strict=True):
            output = PartedOutput(
                branch.place.target,
                file_format,
                branch.health,
                incremental=header.incremental,
                base=base,
            )
            parted.append(output)
            branch.open(output)
        writer = PartFiles(
            parted,
            file_format,
            clock,
            split=header.split,
            incremental=header.incremental,
            adds=bases[0] is not None,
        )
    else:
        whole = []
        for branch in branches:
            one = OneObject(branch.place.target, file_format.content_type, branch.health)
            whole.append(one)
            branch.open(one)
        writer = OneFile(whole, file_format, clock)
    return Lane(run, branches, writer, _baseline(run, branches))


def _baseline(run: RunOfExtract, branches: Sequence[Branch]) -> PublishedBaseline:
    """Of the first destination that can be read."""
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
