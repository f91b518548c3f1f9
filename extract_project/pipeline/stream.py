"""Stream a result: one query, whose rows pass the audit, the profile and the encoder of each lane.

Three things overlap: a thread reads from the warehouse and profiles, the caller's thread audits
and encodes, two threads upload. Each waits for the next, so memory holds three row groups and
three parts of an upload for each destination (G9). Lanes follow each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from extract_project.checks.base import Subject
from extract_project.checks.contract import kept
from extract_project.formats.far_years import written_years
from extract_project.pipeline.audit import Audit, Outcome
from extract_project.pipeline.file_columns import as_written, promised_schema, written_schema
from extract_project.pipeline.lanes import Lane, lowest_bound
from extract_project.pipeline.passes import Passes
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.room import require_room_for_columns, require_room_for_rows
from extract_project.pipeline.rowgroups import is_long, row_groups
from extract_project.pipeline.schema_drift import compare_with_version
from extract_project.prefetch import prefetch
from extract_project.publish.clock import Clock
from extract_project.publish.places import Branch, require_one
from extract_project.schema.annotations import required
from extract_project.stopping import Stage, Stop
from extract_project.warehouses.protocol import Query, Result

_GROUPS_AHEAD = 1


class Queries(Protocol):
    """What a stream needs of a session."""

    def execute(self, query: Query) -> Result: ...

    def cancel(self) -> None: ...


@dataclass(frozen=True)
class Begun:
    """A result whose columns are known and accepted."""

    result: Result
    schema: pa.Schema
    """The schema of the rows: that of the result, or the one that the header declares."""
    promised: pa.Schema
    """`schema` with descriptions, and with the columns that are never NULL."""
    schema_drift: Outcome | None


@dataclass(frozen=True)
class _LaneBegins:
    """An item of the queue: the rows after it are those of this lane."""

    lane: Lane
    written: pa.Schema
    """The schema of the file."""
    profile: Profile


@dataclass
class Passed:
    """The rows of one lane, which have been read completely: their profile and check outcomes."""

    lane: Lane
    begun: Begun
    profile: Profile
    audit: Audit
    is_refused: bool = False
    """Whether a column has a NULL although the file requires it. Then no more rows are written, and
    the contract refuses the result once all checks have seen all rows."""

    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcome of every check; raises AuditError if the query of one fails."""
        schema_drift = [self.begun.schema_drift] if self.begun.schema_drift else []
        outcomes = (*self.audit.conclude(), *schema_drift)
        if self.is_refused and not any(outcome.refuses for outcome in outcomes):
            raise AssertionError("rows were left out, and no check refuses the result")
        return outcomes


def stream(
    session: Queries,
    lanes: Sequence[Lane],
    branches: Sequence[Branch],
    clock: Clock,
    directory: Path,
    *,
    stop: Stop,
) -> list[Passed]:
    """Run the query, and pass each row group of each lane to its audit, profile and encoder.

    Returns the lanes that are left at the end; there is at least one.
    """
    passes = Passes(lanes, directory)

    def cancel() -> None:
        passes.cancel()
        session.cancel()

    stop.at(Stage.QUERYING)
    with (
        stop.cancelling(cancel),
        prefetch(
            _produce(session, lanes, passes), _GROUPS_AHEAD, cancel, is_heavy=_is_heavy
        ) as items,
    ):
        with clock.stage("query"):
            begun = next(items)
        assert isinstance(begun, Begun)
        found: list[Passed] = []
        while True:
            stop.at(Stage.FETCHING)
            with clock.stage("fetch"):
                item = next(items, None)
            stop.require()
            require_one(branches)
            if isinstance(item, _LaneBegins):
                found.append(_begin(begun, item, directory / f"lane-{len(found)}", stop))
            elif isinstance(item, pa.Table):
                _take(found[-1], item, clock, stop)
            else:
                break
            del item  # a long value is freed before the next one is fetched
    require_one(branches)
    return [each for each in found if each.lane.is_alive]


def _begin(begun: Begun, begins: _LaneBegins, directory: Path, stop: Stop) -> Passed:
    begins.lane.begin(begins.written, begun.result.query_id)
    return audited(begun, begins.lane, begins.profile, directory, stop)


def audited(begun: Begun, lane: Lane, profile: Profile, directory: Path, stop: Stop) -> Passed:
    """A lane whose rows are about to be audited; the directory is made, for what checks spool."""
    directory.mkdir()
    base, checks = lane.run.base, lane.run.extract.header.audits
    subject = Subject(
        begun.schema,
        lane.run.started_at,
        lane.baseline,
        profile.metrics,
        rows_before=base.manifest.rows if base else 0,
    )
    return Passed(lane, begun, profile, Audit(checks, subject, directory, stop))


def _take(passed: Passed, rows: pa.Table, clock: Clock, stop: Stop) -> None:
    if not passed.lane.is_alive:
        return
    with clock.stage("audit"):
        passed.audit.observe(rows)
    stop.at(Stage.UPLOADING)
    written = as_written(rows, passed.profile.schema)
    if written is None:
        passed.is_refused = True
    elif not passed.is_refused:
        passed.lane.writer.write(written)


def _produce(
    session: Queries, lanes: Sequence[Lane], passes: Passes
) -> Iterator[Begun | _LaneBegins | pa.Table]:
    """First the result, as soon as its columns are known and accepted; then its row groups.

    Rows are profiled here, in the thread that reads, because encoding is the bottleneck.
    """
    first = lanes[0]
    extract, partition = first.run.extract, first.run.provenance.partition
    result = session.execute(extract.query(partition, lowest_bound(lanes)))
    begun = accepted(result, first)
    schema, promised = begun.schema, begun.promised
    require_room_for_columns(schema)
    yield begun
    batches = written_years(kept(result.batches(), schema), extract.file_format)
    for lane, new_rows in passes.of(schema, batches):
        written = written_schema(promised, lane.run)
        profile = Profile(written)
        yield _LaneBegins(lane, written, profile)
        for rows in row_groups(new_rows, schema):
            require_room_for_rows(rows, profile.rows, extract.file_format)
            profile.observe(rows)
            yield rows
            del rows


def accepted(result: Result, lane: Lane) -> Begun:
    """A result whose columns are what the header promises.

    Raises SchemaError as `promised_schema` and `compare_with_version` do.
    """
    extract, baseline = lane.run.extract, lane.baseline
    promised = promised_schema(extract, result.schema)
    drift = compare_with_version(baseline.state, extract.header, baseline.readers_have, promised)
    return Begun(result, required(promised, ()), promised, drift)


def _is_heavy(item: Begun | _LaneBegins | pa.Table) -> bool:
    return isinstance(item, pa.Table) and is_long(item)


def worst_of(found: Sequence[tuple[Passed, tuple[Outcome, ...]]]) -> tuple[Outcome, ...]:
    """One outcome for each check: where lanes disagree, the worst, with its destination."""
    if len(found) == 1:
        return found[0][1]
    chosen = []
    for same in zip(*(outcomes for _, outcomes in found), strict=True):
        worst = max(range(len(same)), key=lambda n: (same[n].refuses, not same[n].verdict.passed))
        outcome = same[worst]
        if not outcome.verdict.passed:
            name = found[worst][0].lane.branches[0].place.destination
            summary = f"at destination {name!r}: {outcome.verdict.summary}"
            outcome = replace(outcome, verdict=replace(outcome.verdict, summary=summary))
        chosen.append(outcome)
    return tuple(chosen)
