"""Materialize extracts in this process: Dagster's own execution, with an instance in memory.

Each extract and each partition is a run of its own, one after the other. The asset, its retries and
the IO manager are those of a deployment. Nothing is left behind but what is published, with its
receipt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from extract_project.deployment.run import Result
from extract_project.deployment.tags import PARTITION_TAG
from extract_project.errors import Cause, ManifestError
from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import CheckError, InMemoryJob, execute_run
from extract_project.orchestration.failed.attempts import LatestAttempt, State, explained
from extract_project.orchestration.load.isolating import refused_by_dagster
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.requests import run_tags
from extract_project.orchestration.run.assets import IO_MANAGER, extract_asset
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.run.executor import OneOrMany
from extract_project.orchestration.run.io_manager import ExtractIOManager
from extract_project.orchestration.standalone.chosen import Chosen
from extract_project.orchestration.standalone.signals import Signals
from extract_project.process import without_collection

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
"""The journal says what happens; Dagster's own events would be some thirty lines more."""
STOPPED = "the run was stopped from outside"


@dataclass(frozen=True)
class Materialized:
    """What became of an extract, or of one of its partitions."""

    chosen: Chosen
    state: State
    """`skipped`: not tried, because an upstream extract failed or the process was stopped."""
    run_id: str | None = None
    """None if it was not tried."""
    result: Result | None = None
    """Of a success."""
    cause: Cause | None = None
    failure_report: str = ""
    stopped: bool = False
    """Whether this process was told to end before it had succeeded."""
    events: Sequence[dg.AssetMaterialization | dg.AssetCheckEvaluation] = ()
    """What Dagster has recorded about the asset."""


@dg.executor(name="here", requirements=[])
def _here(_: dg.InitExecutorContext) -> dg.Executor:
    return OneOrMany(None)


def materialize(
    work: Sequence[Chosen],
    location: CodeLocation,
    paths: Collection[str],
    tags: Mapping[str, str],
    signals: Signals,
) -> Iterator[Materialized]:
    """Materialize one after the other, and give what became of each.

    `paths` are those of all SQL files, `tags` those of each run. After a failure, what is
    downstream of it is skipped; after a signal, everything is.
    """
    if not work:
        return
    definitions = _definitions({each.extract.path: each.extract for each in work}, location, paths)
    without_result: set[str] = set()
    with without_collection():  # it imports a database
        in_memory = dg.DagsterInstance.ephemeral()
    with in_memory as instance:
        for each in work:
            upstream = without_result.intersection(each.extract.header.depends_on)
            if signals.arrived:
                done = Materialized(
                    each, State.SKIPPED, failure_report=_not_tried(each, STOPPED), stopped=True
                )
            elif upstream:
                reason = f"{', '.join(sorted(upstream))}, on which it depends, has failed"
                done = Materialized(each, State.SKIPPED, failure_report=_not_tried(each, reason))
            else:
                done = _run(instance, definitions, each, tags, signals)
            if done.state is not State.SUCCEEDED:
                without_result.add(each.extract.path)
            yield done


def _not_tried(each: Chosen, reason: str) -> str:
    return f"{each.extract.file}: it was not run: {reason}"


def _definitions(
    extracts: Mapping[str, Extract], location: CodeLocation, paths: Collection[str]
) -> dg.Definitions:
    """The assets of these extracts, as a deployment makes them, and nothing else."""
    assets = []
    for extract in extracts.values():
        try:
            assets.append(extract_asset(extract, location, paths))
        except (dg.DagsterError, CheckError) as error:
            reasons = refused_by_dagster(extract, error).reasons
            raise ManifestError("\n".join(reasons)) from error
    return dg.Definitions(
        assets=assets,
        resources={IO_MANAGER: ExtractIOManager(location.connect, extracts)},
        executor=_here,
    )


def _run(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    chosen: Chosen,
    tags: Mapping[str, str],
    signals: Signals,
) -> Materialized:
    key = asset_key(chosen.extract.path)
    whole = definitions.resolve_implicit_job_def_def_for_assets([key])
    assert whole is not None, key
    job = whole.get_subset(asset_selection={key})
    partition = {PARTITION_TAG: chosen.partition} if chosen.partition else {}
    run = instance.create_run_for_job(
        job,
        run_config=_QUIET,
        tags={**run_tags([chosen.extract]), **tags, **partition},
        asset_selection=frozenset({key}),
    )
    with suppress(dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        execute_run(InMemoryJob(job), run, instance)
    return _outcome(instance, chosen, run.run_id, signals)


def _outcome(
    instance: dg.DagsterInstance, chosen: Chosen, run_id: str, signals: Signals
) -> Materialized:
    ended = instance.get_run_by_id(run_id)
    events = _events(instance, run_id)
    done = Materialized(chosen, State.SUCCEEDED, run_id, events=events)
    if ended is not None and ended.is_success:
        (published,) = (each for each in events if isinstance(each, dg.AssetMaterialization))
        metadata = {name: each.value for name, each in published.metadata.items()}
        return replace(done, result=Result.of(metadata))
    attempt = explained(
        instance,
        LatestAttempt(chosen.extract, chosen.partition, State.FAILED, run_id, datetime.now(UTC)),
    )
    done = replace(
        done, state=State.FAILED, cause=attempt.cause, failure_report=attempt.failure_report
    )
    if not signals.arrived:
        return done
    told = done.failure_report if done.cause is Cause.CANCELLED else _not_done(chosen)
    return replace(done, cause=Cause.CANCELLED, failure_report=told, stopped=True)


def _not_done(chosen: Chosen) -> str:
    return f"{chosen.extract.file}: {STOPPED} while it waited for its next attempt"


def _events(
    instance: dg.DagsterInstance, run_id: str
) -> list[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    kinds = {
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    found: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = []
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.is_step_materialization:
            found.append(event.step_materialization_data.materialization)
        else:
            found.append(event.asset_check_evaluation_data)
    return found
