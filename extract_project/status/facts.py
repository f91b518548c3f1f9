"""The facts about a deployment at one moment, from which states and reasons follow.

`orchestration.status` reads them from Dagster. They cross the wire as JSON.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.manifest.names import named_elsewhere
from extract_project.outcome import Outcome


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Trigger(StrEnum):
    """What starts an extract."""

    SCHEDULE = "schedule"
    """A schedule, at its ticks."""
    TICK_AFTER_UPSTREAM = "tick after upstream"
    """At its ticks, once the upstream extracts are up to date for the tick."""
    UPSTREAM = "upstream"
    """New data of an upstream extract."""
    SOURCE = "source"
    """A change of a table that it reads."""
    DEMAND = "demand"
    """A person, and nothing else."""

    @property
    def ticks(self) -> bool:
        """Whether it starts at ticks of a schedule."""
        return self in (Trigger.SCHEDULE, Trigger.TICK_AFTER_UPSTREAM)


class Starter(_Fact):
    """A schedule or sensor of the deployment."""

    name: str
    kind: str
    """`schedule` or `sensor`."""
    on: bool
    """False if somebody has switched it off."""
    since: AwareDatetime | None = None
    """When a schedule was switched on, or was first loaded."""
    last_tick: AwareDatetime | None = None
    last_error: str | None = None
    """The error of its newest tick, if it failed."""
    last_skip: str | None = None
    """Why its newest tick launched nothing."""


SILENT_AFTER = timedelta(minutes=3)
"""The daemon's threads report every 30 seconds. Dagster calls one silent after 30 minutes, in
which a morning's schedules are lost."""

_LOOKS_AT_ASSETS = "FRESHNESS_DAEMON"
"""A thread that goes through all assets between two reports, and at its first look writes an event
for each: minutes, with thousands of them. If it dies, the daemon ends, and so do the others."""
_ALL_ASSETS = timedelta(minutes=30)


class Daemon(_Fact):
    """One of the daemon's threads that has to run."""

    name: str
    """`SCHEDULER`, `SENSOR`, `QUEUED_RUN_COORDINATOR`, …"""
    last_heartbeat: AwareDatetime | None = None

    def silent(self, now: datetime) -> bool:
        """Whether it should have reported by now."""
        looks_at_assets = self.name == _LOOKS_AT_ASSETS
        if self.last_heartbeat is None:
            return not looks_at_assets
        return now - self.last_heartbeat > (_ALL_ASSETS if looks_at_assets else SILENT_AFTER)


class Pool(_Fact):
    """A concurrency pool."""

    limit: int
    claimed: int
    """Slots in use."""
    waiting: tuple[str, ...] = ()
    """Ids of runs with a step that waits for a slot."""

    @property
    def full(self) -> bool:
        return self.claimed >= self.limit


class Manifest(_Fact):
    """The manifest that the code location serves."""

    snapshot: str
    extracts: int
    """How many extracts it has, of those that were asked for."""
    refused: str | None = None
    """Why the newest manifest does not load, if an older one is served for that reason."""


class DeploymentFacts(_Fact):
    """Facts about the deployment, which concern all extracts."""

    at: AwareDatetime
    """When these facts were read."""
    url: str
    manifest: Manifest
    daemons: tuple[Daemon, ...] = ()
    starters: dict[str, Starter] = {}
    """Schedules and sensors by name."""
    pools: dict[str, Pool] = {}
    queued: int = 0
    """Runs in the queue."""
    running: int = 0
    """Runs that are starting or started."""
    most_running: int | None = None
    """How many runs may run at once, if that is limited."""

    @cached_property
    def silent_daemons(self) -> tuple[Daemon, ...]:
        return tuple(each for each in self.daemons if each.silent(self.at))

    @property
    def switched_off(self) -> tuple[Starter, ...]:
        return tuple(each for each in self.starters.values() if not each.on)


class Success(_Fact):
    """The latest materialization of an extract, in any of its partitions."""

    at: AwareDatetime
    run_id: str
    partition: str | None = None
    outcome: str = ""
    rows: int | None = None
    rows_change: int | None = None
    """How many rows it has more (or, below 0, fewer) than the version before."""
    seconds: float | None = None
    usual_seconds: float | None = None
    """The median of the versions before."""
    uri: str | None = None
    version_id: str | None = None
    by_other_sql: bool = False
    """Whether it was made with other SQL, or other header keys that shape the data, than are
    loaded."""


class Attempt(_Fact):
    """The latest attempt at an extract or a partition, where it has not succeeded (yet)."""

    outcome: Outcome
    run_id: str
    at: AwareDatetime
    """When the run was created."""
    partition: str | None = None
    cause: str | None = None
    report: str = ""
    """The failure report."""


class ExtractFacts(_Fact):
    """Facts about one extract."""

    extract: str
    """Its path: `sales/orders`."""
    group: str
    owners: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    """Why it is invalid, each with file and line."""
    enabled: bool = True
    trigger: Trigger = Trigger.DEMAND
    starter: str | None = None
    """Name of the schedule or sensor that starts it."""
    schedule: str = ""
    """Its schedule as it was written, with the time zone."""
    freshness_seconds: float | None = None
    pool: str | None = None
    depends_on: tuple[str, ...] = ()
    elsewhere: dict[str, str] = {}
    """Which of these are in other code locations: their paths, and the URIs of their manifests."""
    tables: tuple[str, ...] = ()
    success: Success | None = None
    attempts: tuple[Attempt, ...] = ()
    last_tick: AwareDatetime | None = None
    """The newest tick of its schedule."""
    next_tick: AwareDatetime | None = None
    waiting_since: AwareDatetime | None = None
    """The tick for which it waits for upstream extracts."""
    waits_for: tuple[str, ...] = ()
    """Upstream extracts that are not up to date, or are running."""
    does_not_count: dict[str, str] = {}
    """Upstream extracts that nothing waits for, and why: `invalid` or `disabled`."""
    new_upstream: bool = False
    """Whether upstream data is new, for an extract that such data starts."""

    def upstream(self, most: int) -> str:
        """`sales/orders of s3://acme-sql/sales, crm/leads`: what it depends on, in words."""
        return ", ".join(named_elsewhere(each, self.elsewhere) for each in self.depends_on[:most])


class Facts(_Fact):
    """All that states and reasons follow from."""

    deployment: DeploymentFacts
    extracts: dict[str, ExtractFacts]
    """By path. Where one extract was asked for, it and all upstream of it."""
    elsewhere: dict[str, ExtractFacts] = {}
    """Those of other code locations that are upstream of these. What starts them is not known
    here."""

    def has(self, path: str) -> bool:
        return path in self.extracts or path in self.elsewhere

    def of(self, path: str) -> ExtractFacts:
        """An extract, in whichever code location."""
        return self.extracts.get(path) or self.elsewhere[path]
