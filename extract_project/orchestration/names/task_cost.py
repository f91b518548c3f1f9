"""The cost of a materialization on Fargate, from the task's metadata and the configured prices.

ECS tells every process of a task the task's size and when the pull of its image began, which is
when billing begins. If that cannot be read, the cost is unknown and the run is not affected.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
"""

from __future__ import annotations

import urllib.request
from dataclasses import asdict, dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from extract_project.prefetch import in_thread
from extract_project.prices import INCLUDED_DISK_GB, LEAST_SECONDS, FargatePrices

_FARGATE = "FARGATE"
_MIB_PER_GIB = 1024
_ASK_SECONDS = 2.0
"""Timeout. The endpoint is on the task's own host, and answers within milliseconds or never."""


class _Limits(BaseModel):
    cpu: float = Field(alias="CPU")
    """In vCPUs."""
    memory: int = Field(alias="Memory")
    """In MiB."""


class _Disk(BaseModel):
    reserved: int = Field(alias="Reserved")
    """In MiB."""


class Task(BaseModel):
    """The task's metadata, as ECS gives it to its processes."""

    model_config = ConfigDict(frozen=True)

    launch_type: str = Field("", alias="LaunchType")
    limits: _Limits = Field(alias="Limits")
    pull_started_at: AwareDatetime = Field(alias="PullStartedAt")
    disk: _Disk | None = Field(None, alias="EphemeralStorageMetrics")

    def cost(self, prices: FargatePrices, until: datetime) -> TaskCost:
        """The cost of the task until this time."""
        seconds = max((until - self.pull_started_at).total_seconds(), LEAST_SECONDS)
        vcpu, memory = self.limits.cpu, self.limits.memory
        size = TaskCost(vcpu, memory, round(seconds, 1))
        if self.launch_type != _FARGATE:
            return size
        gb, disk = memory / _MIB_PER_GIB, self._extra_disk_gb
        return TaskCost(
            size.task_vcpu,
            size.task_memory_mib,
            size.task_seconds,
            round(prices.of(vcpu, gb, disk, seconds / 3600), 6),
            f"from the image pull to the publish, at least {LEAST_SECONDS} s, of "
            f"{vcpu:g} vCPU at ${prices.vcpu_hour:g}, {gb:g} GB at ${prices.gb_hour:g} and "
            f"{disk:g} GB of more disk at ${prices.disk_gb_hour:g} an hour",
        )

    @property
    def _extra_disk_gb(self) -> int:
        """Disk beyond the included, in whole GiB, since ECS reports a few MiB more than
        requested."""
        reserved = self.disk.reserved // _MIB_PER_GIB if self.disk else 0
        return max(reserved - INCLUDED_DISK_GB, 0)


@dataclass(frozen=True)
class TaskCost:
    """The cost of a task up to a publish. Field names are the labels in the UI."""

    task_vcpu: float
    task_memory_mib: int
    task_seconds: float
    estimated_fargate_usd: float | None = None
    """None if AWS bills the instance instead of the task."""
    cost_basis: str | None = None

    def facts(self) -> dict[str, Any]:
        """The values that are known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def current_task(metadata_uri: str | None) -> Task | None:
    """The ECS task of this process; None outside ECS, or if ECS does not answer in time."""
    if metadata_uri is None:
        return None
    try:
        return in_thread("task", lambda: _ask(f"{metadata_uri}/task"), _ASK_SECONDS)
    except (OSError, HTTPException, ValueError):  # pydantic's error is a ValueError
        return None


def _ask(url: str) -> Task:
    # The address is link-local, so a proxy cannot reach it.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=_ASK_SECONDS) as reply:
        return Task.model_validate_json(reply.read())
