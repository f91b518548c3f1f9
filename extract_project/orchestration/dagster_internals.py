"""All private names of Dagster that this project uses.

Dagster 1.13 has no public name for them. The comment above each group says what they are needed
for. If an upgrade of Dagster moves or removes one, it fails in this module and in its test, and
nowhere else. All were last seen in Dagster 1.13.27. Those of its storage in SQLite are in
`dagster_sqlite`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
)
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events import EngineEventData
from dagster._core.execution.api import execute_run
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.execution.context.system import IStepContext, PlanOrchestrationContext
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData, UserFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.stats import StepEventStatus
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.executor.multiprocess import (
    MultiprocessExecutor,
    MultiprocessExecutorChildProcessCommand,
)
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickStatus,
)
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import (
    IO_TYPE_EXTENSION,
    LocalComputeLogManager,
)
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    MAX_RETRIES_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_STRATEGY_TAG,
    WILL_RETRY_TAG,
)
from dagster._grpc.impl import core_execute_run
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster._utils import get_run_crash_explanation
from dagster._utils.backoff import backoff
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_shared.check import CheckError
from dagster_shared.error import SerializableErrorInfo

__all__ = [  # noqa: RUF022 - grouped by what they are needed for
    # Pinning (G3): the definitions function stores which snapshot it has loaded, and a run worker
    # reads which one to load. `Definitions.with_reconstruction_metadata` stores nothing if it is
    # called inside a function with `@dg.definitions`.
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    # One bad file affects only itself (G6): the error that Dagster raises for an invalid
    # definition.
    "CheckError",
    # Which run this process executes: the job behind "Materialize", and the command with which a
    # run starts a child process.
    "IMPLICIT_ASSET_JOB_NAME",
    "MultiprocessExecutorChildProcessCommand",
    # Starting runs: the ticks of a schedule as Dagster computes them, and the tags with the data
    # and code versions that a materialization was made from.
    "CODE_VERSION_TAG",
    "DATA_VERSION_TAG",
    "get_input_data_version_tag",
    "schedule_execution_time_iterator",
    # Failures: the events of a step with the reason, and the statistics of a run with the state of
    # each step.
    "StepFailureData",
    "StepEventStatus",
    # What is on, off or behind: the stored state of schedules and sensors, and their ticks.
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorType",
    "ScheduleInstigatorData",
    "SensorInstigatorData",
    "TickStatus",
    # The latest materialization of thousands of extracts at once: the rows as they are stored, and
    # only so much of them as tells whether they have changed.
    "stored_asset_rows",
    "stored_asset_ends",
    # Reloads that start no Python anew: the code server, with our way to start its processes.
    "run_code_server",
    "run_dagster",
    # The daemon of one machine, whose runs are forked.
    "run_daemon",
    # Reloads that describe the definitions once: the two answers of a code server that do so.
    "wrap_answers",
    # A release is for one run: a re-execution copies its tags, and has this one. The cause of a
    # run: a backfill's runs have the other one.
    "PARENT_RUN_ID_TAG",
    "BACKFILL_ID_TAG",
    # An executor that chooses between two of Dagster's. Both are public as definitions only.
    "PlanOrchestrationContext",
    "ExecutionPlan",
    "RetryMode",
    "InProcessExecutor",
    "MultiprocessExecutor",
    # Executing a run without a deployment, with an executor of ours: `execute_in_process` takes its
    # own, which queries again after an interrupt.
    "InMemoryJob",
    "execute_run",
    # Terminating a run while a step waits for its next attempt.
    "raise_execution_interrupts",
    # The executor that gives each step a task. All integrations that run steps elsewhere are built
    # on these names (dagster-aws, dagster-k8s, dagster-docker).
    "EngineEventData",
    "IStepContext",
    "StepRetryData",
    "UserFailureData",
    "KnownExecutionState",
    "CheckStepHealthResult",
    "StepDelegatingExecutor",
    "StepHandler",
    "StepHandlerContext",
    "ExecuteStepArgs",
    "SerializableErrorInfo",
    # The launcher: the health of a run's task, and the tags that make Dagster launch it again.
    "ReexecutionStrategy",
    "CheckRunHealthResult",
    "WorkerStatus",
    "MAX_RETRIES_TAG",
    "RETRY_STRATEGY_TAG",
    "WILL_RETRY_TAG",
    "backoff",
    # Executing a run in a process of ours, as the code server and `dagster api execute_run` do, and
    # launching it. A launcher for elsewhere (dagster-aws, dagster-k8s) is built on the same names.
    "RunLauncher",
    "LaunchRunContext",
    "InstanceRef",
    "capture_interrupts",
    "core_execute_run",
    "recon_job_from_origin",
    "get_run_crash_explanation",
    # What runs on one machine print: Dagster's own log manager, without its copy on the console.
    # Each class that `dagster.yaml` names is a `ConfigurableClass`.
    "ConfigurableClass",
    "ConfigurableClassData",
    "LocalComputeLogManager",
    "IO_TYPE_EXTENSION",
    "CapturedLogContext",
    "ComputeIOType",
    "redirect_to_file",
]


def stored_asset_rows(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]
) -> Iterable[Mapping[str, Any]] | None:
    """The row of each asset that the storage knows; None if it is no SQL database.

    The class of SQL storages is not asked for: its module takes half a second to import, in every
    run worker.
    """
    rows = getattr(instance.event_log_storage, "_fetch_asset_rows", None)
    return None if rows is None else rows(asset_keys=keys)


def stored_asset_ends(
    instance: dg.DagsterInstance, keys: Sequence[str], length: int
) -> Sequence[tuple[str, str | None, str | None, str | None]] | None:
    """The key, latest run and details of each asset that the storage knows, and the end of the text
    of its latest materialization, of so many characters.

    `keys` are as the storage has them. None if it is no SQL database.
    """
    connect = getattr(instance.event_log_storage, "index_connection", None)
    if connect is None:
        return None
    from dagster._core.storage.event_log.schema import AssetKeyTable
    from sqlalchemy import func, select

    row = AssetKeyTable.c
    text = row.last_materialization
    end = func.substr(text, func.length(text) - (length - 1))
    wanted = select(row.asset_key, row.last_run_id, row.asset_details, end)
    with connect() as connection:
        found = connection.execute(wanted.where(row.asset_key.in_(keys)))
        return [(key, run, details, tail) for key, run, details, tail in found]


def run_code_server(arguments: Sequence[str], open_process: Callable[..., Any]) -> None:
    """Be `dagster code-server start`, whose processes `open_process` starts, as
    `subprocess.Popen` would.
    """
    from dagster._grpc import server

    server.open_ipc_subprocess = open_process  # type: ignore[attr-defined]
    run_dagster(["code-server", "start", *arguments])


def run_dagster(arguments: Sequence[str]) -> None:
    """Be `dagster` with these arguments; raises SystemExit at its end."""
    from dagster._cli import main

    sys.argv = ["dagster", *arguments]
    main()  # type: ignore[no-untyped-call]


def run_daemon(arguments: Sequence[str]) -> None:
    """Be `dagster-daemon` with these arguments; raises SystemExit at its end."""
    from dagster._daemon.cli import main

    sys.argv = ["dagster-daemon", *arguments]
    main()


ERROR_ANSWER = '{"__class__": "ExternalRepositoryErrorData"'
"""How a code server's answer begins if its definitions cannot be described."""

Wrap = Callable[
    [Callable[..., Any], Callable[[Any], bytes | None], Callable[[bytes], Any]], Callable[..., Any]
]


def wrap_answers(wrap: Wrap) -> None:
    """Wrap the methods of a code server that describe all its definitions, and one of its jobs.

    `wrap` also gets how to encode an answer, which returns None for an error, and how to decode it.
    """
    from dagster._grpc.__generated__.dagster_api_pb2 import ExternalJobReply
    from dagster._grpc.server import DagsterApiServer as Server

    Server._get_serialized_external_repository_data = wrap(  # type: ignore[method-assign]
        Server._get_serialized_external_repository_data,
        lambda text: None if text.startswith(ERROR_ANSWER) else text.encode(),
        bytes.decode,
    )
    Server.ExternalJob = wrap(  # type: ignore[method-assign]
        Server.ExternalJob,
        lambda reply: None if reply.serialized_error else reply.SerializeToString(),
        ExternalJobReply.FromString,
    )
