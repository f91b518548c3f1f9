"""One attempt at an extract within a Dagster run: query, audit, stage, and publish.

The IO manager publishes, between two events of the asset. `ending` has what becomes of an attempt
that does not publish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from extract_project.errors import ExtractError
from extract_project.journal import Journal
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.partitions import partition_of
from extract_project.orchestration.names.requests import wants_full_refresh
from extract_project.orchestration.names.task_cost import Task, current_task
from extract_project.orchestration.run.ending import Ending, Endings
from extract_project.orchestration.run.failure_tag import clear_failure
from extract_project.orchestration.run.failures import (
    Attempt,
    ended_after_publishing,
)
from extract_project.orchestration.run.interrupts import Interrupts
from extract_project.orchestration.run.journaling import (
    journal_of,
    record_each,
    record_published,
    record_staged,
)
from extract_project.orchestration.run.metadata import (
    check_result,
    destinations_metadata,
    materialization_metadata,
)
from extract_project.orchestration.run.newer import newer_sql
from extract_project.orchestration.run.release import release_of
from extract_project.orchestration.run.standing import look_up_each
from extract_project.orchestration.run.subject_tags import tag_subject
from extract_project.pipeline.attempt import (
    Done,
    done_at_one,
    done_everywhere,
    publish_staged,
    staging,
)
from extract_project.pipeline.everywhere import PartlyPublished, found_out
from extract_project.pipeline.ownership import require_own
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged
from extract_project.process import use_system_allocator, without_pandas
from extract_project.publish.places import Place, places_of, require_one
from extract_project.publish.publishing import Published
from extract_project.stopping import Stop
from extract_project.store.stores import Folders
from extract_project.telemetry.exporting import Listener, measuring

if TYPE_CHECKING:
    from extract_project.orchestration.run.code_location import CodeLocation


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
        if settings.run is not None and len(settings.run.extracts) == 1:
            held.enter_context(without_pandas())
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
            return self._endings.of(error, look_up_each(self.places, may_change=False))
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
        """Find out whether a publishing request succeeded although its reply was lost.

        Raises dg.Failure if the result was not published everywhere.
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
        ending = self._endings.of(error, current)
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

    def _require_own(self, staged: Staged) -> None:
        """Leave out each destination where the object belongs to another SQL file."""
        for branch in staged.branches:
            with branch.health.noting(ExtractError):
                uri = branch.place.target.uri
                require_own(self.folders.manifest, self.this.extract, branch.previous, uri)
        require_one(staged.branches)

    @property
    def _endings(self) -> Endings:
        dagster_url = self.location.settings.dagster_url
        return Endings(self.context, self.this, self.journal, self.interrupts, dagster_url)

    @property
    def _key(self) -> dg.AssetKey:
        return asset_key(self.this.extract.path)
