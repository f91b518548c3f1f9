"""One attempt at an extract within a Dagster run, and its end as Dagster records it.

Whatever ends an attempt (a refusal, an error, the timeout, an interrupt) becomes one `Ending` here.
Nothing is raised before, so Dagster always records what really happened, also if S3 fails during a
cancel, or the run is terminated after it has published.

The IO manager publishes, between two events of the asset.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from extract_project.errors import ExtractError, RunEnded, SchemaError
from extract_project.journal import Journal
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.partitions import partition_of
from extract_project.orchestration.names.requests import wants_full_refresh
from extract_project.orchestration.names.task_cost import Task, current_task
from extract_project.orchestration.run.failure_tag import clear_failure, tag_failure
from extract_project.orchestration.run.failures import (
    Attempt,
    ended_after_publishing,
    failure,
    is_expected,
    refusal,
    refusal_of_schema,
)
from extract_project.orchestration.run.interrupts import Interrupts
from extract_project.orchestration.run.journaling import (
    journal_of,
    record_each,
    record_failure,
    record_published,
    record_staged,
)
from extract_project.orchestration.run.metadata import (
    check_result,
    destinations_metadata,
    materialization_metadata,
    schema_result,
)
from extract_project.orchestration.run.newer import newer_sql
from extract_project.orchestration.run.release import release_of
from extract_project.orchestration.run.standing import Current, look_up_each
from extract_project.orchestration.run.subject_tags import tag_subject
from extract_project.pipeline.attempt import (
    Done,
    RefusedResult,
    done_at_one,
    done_everywhere,
    publish_staged,
    staging,
)
from extract_project.pipeline.everywhere import PartlyPublished, found_out
from extract_project.pipeline.ownership import require_own
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged
from extract_project.process import use_system_allocator
from extract_project.publish.places import Place, places_of, require_one
from extract_project.publish.publishing import Published
from extract_project.stopping import Stop
from extract_project.store.stores import Folders
from extract_project.telemetry.exporting import Listener, measuring

if TYPE_CHECKING:
    from extract_project.orchestration.run.code_location import CodeLocation


@dataclass(frozen=True)
class Ending:
    """An attempt that has not published: events for Dagster to store, then the failure to raise."""

    events: Sequence[dg.AssetCheckResult]
    failure: dg.Failure
    because: Exception | None = None
    """The original exception, unless the failure explains itself."""


class Candidate:
    """A staged and audited result, handed to the IO manager for publishing.

    `held` aborts the upload if it has not been published.
    """

    def __init__(self, execution: _Execution, staged: Staged, held: ExitStack) -> None:
        self._execution, self._staged, self._held = execution, staged, held
        self.published: Published | None = None

    def publish(self) -> Mapping[str, Any]:
        """Make it the current version; returns the metadata of its materialization.

        Raises dg.Failure if it was not published, as far as is known.
        """
        with self._execution.interrupts.flagged(), self._held:
            self.published, metadata = self._execution.publish(self._staged)
        return metadata


Events = Iterator[dg.AssetCheckResult | dg.MaterializeResult[Candidate]]


def execute(context: dg.AssetExecutionContext, extract: Extract, location: CodeLocation) -> Events:
    """Stage and audit; then let the IO manager publish, or refuse the result.

    Raises dg.Failure if the attempt ends in any other way. The upload stays open across the
    `yield`: Dagster passes the value to the IO manager, and stores the materialization, before it
    asks for the next event.
    """
    use_system_allocator()
    settings = location.settings
    with measuring(settings.metrics, settings.location) as listener, ExitStack() as held:
        execution = _Execution.of(context, extract, location, listener)
        with execution.interrupts.flagged():
            prepared = execution.stage(held)
        if isinstance(prepared, Ending):
            yield from prepared.events
            raise prepared.failure from prepared.because
        candidate = Candidate(execution, prepared, held)
        yield execution.result(candidate, prepared)
        if execution.interrupts.arrived and candidate.published is not None:
            raise ended_after_publishing(execution.this, candidate.published)


@dataclass(frozen=True)
class _Execution:
    context: dg.AssetExecutionContext
    location: CodeLocation
    this: Attempt
    partition: Partition | None
    journal: Journal
    folders: Folders
    interrupts: Interrupts
    stop: Stop
    places: Sequence[Place]
    """Where the extract is published."""
    task: Task | None
    """The ECS task that this runs in."""

    @classmethod
    def of(
        cls,
        context: dg.AssetExecutionContext,
        extract: Extract,
        location: CodeLocation,
        listener: Listener | None,
    ) -> _Execution:
        partition = partition_of(context, extract)
        number = context.retry_number + 1
        this = Attempt(extract, partition.key if partition else None, number)
        interrupts, folders = Interrupts(), location.connect()
        return cls(
            context,
            location,
            this,
            partition,
            journal_of(this, context.run.run_id, listener),
            folders,
            interrupts,
            Stop(extract.header.timeout, is_ended=lambda: interrupts.arrived),
            places_of(folders, extract, this.partition),
            current_task(location.settings.ecs_metadata_uri),
        )

    def _begin(self) -> None:
        """Log what is about to run."""
        instance, run = self.context.instance, self.context.run
        clear_failure(instance, run, self.this.number)
        tag_subject(instance, run, self.this.extract)
        source, snapshot = self.this.extract.source, self.location.snapshot_id
        self.journal.write(
            "started",
            sql_version=source.version_id,
            snapshot=snapshot,
            warehouse=self.this.extract.warehouse,
            attempt=self.this.number,
        )
        self.context.log.info(
            "%s: sql version %s, snapshot %s, warehouse %s",
            *(self.this.place(), source.version_id, snapshot, self.this.extract.warehouse),
        )
        for newer in newer_sql(self.folders.manifest, self.this.extract):
            self.context.log.warning(newer)

    def stage(self, held: ExitStack) -> Staged | Ending:
        """The staged result, which `held` aborts unless it is published; or the ending without
        one."""
        extract, settings, run = self.this.extract, self.location.settings, self.context.run
        self._begin()
        try:
            provenance = Provenance(
                run.run_id,
                self.location.snapshot_id,
                self.partition,
                full_refresh=wants_full_refresh(run),
                release=release_of(self.context.instance, run, self.this),
            )
            warehouse = settings.warehouses[extract.warehouse]
            staged = held.enter_context(
                staging(warehouse, extract, self.places, provenance, stop=self.stop)
            )
            self._require_own(staged)
        except Exception as error:
            return self._ending(error, look_up_each(self.places, may_change=False))
        for doubt in staged.doubts:
            self.context.log.warning(doubt)
        record_staged(self.journal, staged)
        return staged

    def result(self, candidate: Candidate, staged: Staged) -> dg.MaterializeResult[Candidate]:
        """The result that the asset yields."""
        return dg.MaterializeResult(
            value=candidate,
            check_results=[check_result(c, self._key, published=True) for c in staged.outcomes],
            data_version=dg.DataVersion(staged.receipt.data_sha256),
        )

    def publish(self, staged: Staged) -> tuple[Published, Mapping[str, Any]]:
        """Publish, and record it; raises dg.Failure as `Candidate.publish` does."""
        try:
            done = publish_staged(staged, self.this.extract)
        except Exception as error:
            done = self._published_after_all(staged, error)
        prices = self.location.settings.fargate.prices
        cost = self.task.cost(prices, datetime.now(UTC)) if self.task else None
        record_published(self.journal, done, cost)
        for place, published in done.everywhere:
            self.context.log.info(
                "%s: %s at %s, %s rows, version %s",
                *(self.this.place(), published.outcome, place.destination),
                *(staged.receipt.rows, published.version_id),
            )
        return done.published, materialization_metadata(done, cost)

    def _published_after_all(self, staged: Staged, error: Exception) -> Done:
        """What a publishing request has done that succeeded although its reply did not arrive in
        time; raises dg.Failure if it was not published everywhere.
        """
        current = look_up_each(self.places, may_change=self.stop.is_sending)
        if len(self.places) == 1:
            version = current.version
            if version and version.provenance.get("receipt") == staged.receipt.id:
                published = Published(version.version_id, "published")
                return done_at_one(staged, staged.baseline.receipt, published)
        elif not isinstance(error, PartlyPublished):
            try:
                return done_everywhere(staged, None, found_out(staged, error))
            except ExtractError as settled:
                error = settled
        if isinstance(error, PartlyPublished) and error.published:
            self._observe(error)
        ending = self._ending(error, current)
        raise ending.failure from ending.because

    def _observe(self, partly: PartlyPublished) -> None:
        """Show on the asset's page what has been published, though the run fails."""
        record_each(self.journal, partly.published)
        self.context.log_event(
            dg.AssetObservation(
                self._key,
                description=f"published at some of its destinations:\n{partly.standing}",
                partition=self.this.partition,
                metadata=destinations_metadata(partly.published),
            )
        )

    def _ending(self, error: Exception, current: Current) -> Ending:
        ending = self._explained(error, current)
        self._record(ending.failure)
        if self.interrupts.arrived and ending.failure.allow_retries:
            if isinstance(error, PartlyPublished):
                return Ending((), failure(error, self.this, current, may_retry=False))
            ended = RunEnded(f"the run was stopped from outside, after an error: {error}")
            return self._explained(ended, current)
        return ending

    def _explained(self, error: Exception, current: Current) -> Ending:
        if isinstance(error, RefusedResult):
            outcomes = sorted(error.staged.outcomes, key=lambda each: each.verdict.passed)
            checks = [check_result(each, self._key, published=False) for each in outcomes]
            return Ending(checks, refusal(error, self.this, self.location.settings.dagster_url))
        if isinstance(error, SchemaError):
            refused = refusal_of_schema(error, self.this, current)
            return Ending([schema_result(error, self._key)], refused)
        because = None if is_expected(error) else error
        return Ending((), failure(error, self.this, current), because)

    def _record(self, failed: dg.Failure) -> None:
        """Record the failure in the journal, and as a tag of the run."""
        try:
            record_failure(self.journal, failed)
            tag_failure(self.context.instance, self.context.run, failed)
        except Exception as error:  # of Dagster's storage; the failure must still be reported
            logging.getLogger(__name__).warning("the run has no tag of its failure: %r", error)

    def _require_own(self, staged: Staged) -> None:
        """Leave out each destination where the object belongs to another SQL file."""
        for branch in staged.branches:
            with branch.health.noting(ExtractError):
                uri = branch.place.target.uri
                require_own(self.folders.manifest, self.this.extract, branch.previous, uri)
        require_one(staged.branches)

    @property
    def _key(self) -> dg.AssetKey:
        return asset_key(self.this.extract.path)
