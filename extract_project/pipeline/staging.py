"""The pipeline: query, audit, encode, and upload as parts that are not visible yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from extract_project.manifest.extract import Extract
from extract_project.pipeline.audit import Outcome, audit_directory, let_through
from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.file_columns import undescribed
from extract_project.pipeline.lanes import open_lanes
from extract_project.pipeline.provenance import Provenance, RunOfExtract
from extract_project.pipeline.receipt_of_run import receipt_of_run
from extract_project.pipeline.stream import Passed, stream, worst_of
from extract_project.pipeline.unload import unload
from extract_project.publish.clock import Clock
from extract_project.publish.fan import Health
from extract_project.publish.places import Branch, Place, require_one
from extract_project.publish.publishing import Publishable
from extract_project.stopping import Stage, Stop
from extract_project.warehouses.protocol import Session, Warehouse


@dataclass(frozen=True)
class Staged(Publishable):
    """A publishable result, with its profile and the outcomes of its checks."""

    outcomes: tuple[Outcome, ...]
    preview: tuple[dict[str, str], ...]
    baseline: PublishedBaseline
    branches: tuple[Branch, ...]
    """A branch for each destination, in the order of `to`."""
    doubts: tuple[str, ...] = ()
    """Warnings about the SQL file, which do not keep the result from being published."""


@contextmanager
def stage(
    warehouse: Warehouse,
    extract: Extract,
    places: Sequence[Place],
    provenance: Provenance,
    *,
    stop: Stop | None = None,
) -> Iterator[Staged]:
    """Stage an extract at each place.

    At the end of the block, whatever has not been published is aborted.

    `stop` can end the work from another thread. If there are several places, the error of one is
    kept in its branch as long as another is left.

    Raises BucketError, WarehouseError, TypeMappingError, SchemaError, IncrementError, AuditError or
    StagingError. After any exception, also one of the caller, the query is cancelled, every upload
    is aborted, and nothing becomes visible (G2).
    """
    run, clock, stop = RunOfExtract.begin(extract, provenance), Clock(), stop or Stop()
    branches = _branches(places, stop)
    try:
        with clock.stage("connect"):
            for branch in branches:
                branch.look(run.receipt_id)
            require_one(branches)
            lanes = open_lanes(run, branches, clock)
            require_one(branches)
        with audit_directory() as directory:
            stop.at(Stage.CONNECTING)
            with _connected(warehouse, run, clock) as session:
                if extract.header.may_unload:
                    (lane,), (branch,) = lanes, branches
                    passed = unload(session, lane, branch, clock, directory, stop=stop)
                else:
                    passed = stream(session, lanes, branches, clock, directory, stop=stop)
            stop.at(Stage.CHECKING)
            with clock.stage("audit"):
                audited = [
                    (each, let_through(each.outcomes(), provenance.release)) for each in passed
                ]
        stop.at(Stage.UPLOADING)
        for each in passed:
            each.lane.writer.seal()
        require_one(branches)
        stop.require()
        _complete(audited, clock, stop)
        first = next(each for each in branches if each.publishable and each.is_alive)
        of_first = next(each for each in passed if first in each.lane.branches)
        publishable = first.publishable
        assert publishable is not None
        yield Staged(
            publishable.output,
            publishable.receipt,
            publishable.previous,
            stop,
            publishable.appends,
            outcomes=worst_of(audited),
            preview=tuple(of_first.profile.preview),
            baseline=of_first.lane.baseline,
            branches=branches,
            doubts=tuple(undescribed(extract, of_first.begun.schema.names)),
        )
    finally:
        with ExitStack() as ending:  # each, also if one cannot
            for branch in branches:
                ending.callback(branch.abort)


def _branches(places: Sequence[Place], stop: Stop) -> tuple[Branch, ...]:
    """A branch for each place; a timeout of one of several names that place."""
    if len(places) == 1:
        return (Branch(places[0]),)
    names = (f"destination {place.destination!r}" for place in places)
    healths = (Health(waiting=partial(stop.waiting_for, name)) for name in names)
    return tuple(Branch(each, health=health) for each, health in zip(places, healths, strict=True))


def _complete(
    audited: Sequence[tuple[Passed, Sequence[Outcome]]], clock: Clock, stop: Stop
) -> None:
    """Make the result publishable at each destination that is left."""
    stages = clock.stages()
    for passed, outcomes in audited:
        lane = passed.lane
        for branch in lane.branches:
            if not branch.is_alive or branch.output is None:
                continue
            receipt = receipt_of_run(
                lane.run,
                branch.output.content(lane.writer.rows),
                passed.begun.result,
                passed.profile,
                outcomes=outcomes,
                stages=stages,
                baseline=lane.baseline,
            )
            appends = lane.run.base is not None
            branch.publishable = Publishable(branch.output, receipt, branch.previous, stop, appends)


@contextmanager
def _connected(warehouse: Warehouse, run: RunOfExtract, clock: Clock) -> Iterator[Session]:
    with ExitStack() as stack:
        with clock.stage("connect"):
            connecting = warehouse.connect(run.label, run.extract.header.timeout)
            session = stack.enter_context(connecting)
        yield session
