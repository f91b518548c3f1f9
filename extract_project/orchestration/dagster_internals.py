"""Everything of Dagster's that this project uses and Dagster does not promise to keep.

Every name here comes from a private module. It is here because Dagster 1.13 has no public name for
it, and the comment above each group says what it is needed for. An upgrade of Dagster that moves or
removes one of them fails in this module and in its test, and nowhere else. All were last seen in
Dagster 1.13.27.
"""

from __future__ import annotations

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
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events import EngineEventData
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
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import (
    MAX_RETRIES_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_STRATEGY_TAG,
    WILL_RETRY_TAG,
)
from dagster._grpc.types import ExecuteStepArgs
from dagster._utils.backoff import backoff
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_shared.check import CheckError
from dagster_shared.error import SerializableErrorInfo

__all__ = [  # noqa: RUF022 - grouped by what they are needed for
    # Pinning (G3): the definitions function says which snapshot it has loaded, and a run worker
    # learns which one to load. `Definitions.with_reconstruction_metadata` loses what it is given
    # when it is called inside a function with `@dg.definitions`.
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    # One bad file affects only itself (G6): what Dagster raises for a definition that it refuses.
    "CheckError",
    # Which run this process executes: the job behind "Materialize", and the command with which a
    # run starts a child process.
    "IMPLICIT_ASSET_JOB_NAME",
    "MultiprocessExecutorChildProcessCommand",
    # What starts a run: the ticks of a schedule as Dagster itself counts them, and the tags in
    # which a materialization says which data and code it was made from.
    "CODE_VERSION_TAG",
    "DATA_VERSION_TAG",
    "get_input_data_version_tag",
    "schedule_execution_time_iterator",
    # What failed: the events of a step say why, and the statistics of a run say how each step
    # ended.
    "StepFailureData",
    "StepEventStatus",
    # A release is for one run: a re-execution of it has its tags, and this one.
    "PARENT_RUN_ID_TAG",
    # An executor that chooses between two of Dagster's. Both are public as definitions only.
    "PlanOrchestrationContext",
    "ExecutionPlan",
    "RetryMode",
    "InProcessExecutor",
    "MultiprocessExecutor",
    # A run that is told to end while a step waits for its next try.
    "raise_execution_interrupts",
    # An executor that gives each step a task. Every integration that runs steps elsewhere is built
    # on these (dagster-aws, dagster-k8s, dagster-docker).
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
    # The launcher: whether a run's task lives, and the tags that make Dagster run it once more.
    "ReexecutionStrategy",
    "CheckRunHealthResult",
    "WorkerStatus",
    "MAX_RETRIES_TAG",
    "RETRY_STRATEGY_TAG",
    "WILL_RETRY_TAG",
    "backoff",
]
