"""The header of a SQL file as a typed model; its JSON Schema is what editors complete from."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from extract_project.checks import Check
from extract_project.checks.anomalies import ANOMALIES, Anomalies
from extract_project.checks.base import CheckSpec, one_or_more
from extract_project.checks.contract import KEY as CONTRACT
from extract_project.checks.contract import Columns, Contract
from extract_project.formats.options import Compression, Format, parse_compression
from extract_project.manifest.cron import ON_SOURCE_CHANGE, Crons, TimeZone
from extract_project.manifest.frontmatter import FrontMatter, Path
from extract_project.manifest.header_errors import at, explain
from extract_project.manifest.incremental import WATERMARK, Incremental
from extract_project.manifest.partitions import Partitions, read_partitions
from extract_project.manifest.schedule_words import crons_of
from extract_project.manifest.split import Split
from extract_project.manifest.task_size import Cpu, Disk, Memory, TaskSize
from extract_project.problem import Refused
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.units import Duration, format_duration
from extract_project.values import Constant

# Dagster's rules, stated here so that a bad value is one red extract with its line, and not an
# error of the whole code location (dagster/_core/definitions/utils.py, .../asset_spec.py).
_GROUP = r"^[A-Za-z0-9_]+$"
_OWNER = (
    r"^(team:[A-Za-z0-9_-]+"
    r"|[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})$"
)
_TAG_KEY = r"^([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}$"
_TAG_VALUE = r"^[A-Za-z0-9_.-]{0,63}$"
_POOL = r"^\S{1,200}$"
_PATH = r"^[^/\s][^/]*(/[^/]+)*$"

Owner = Annotated[str, StringConstraints(pattern=_OWNER)]
TagKey = Annotated[str, StringConstraints(pattern=_TAG_KEY)]
TagValue = Annotated[str, StringConstraints(pattern=_TAG_VALUE)]
ParamName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_LONGEST_PAUSE = timedelta(hours=1)
_SHORTEST_FRESHNESS = timedelta(minutes=1)
_RESERVED_PARAMS = {"partition_key", "partition_start", "partition_end", WATERMARK}


def _timeout(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST_TIMEOUT:
        raise ValueError(
            f"{format_duration(value)} is no timeout: expected more than 0s, at most 24h"
        )
    return value


def _pause(value: timedelta) -> timedelta:
    if value > _LONGEST_PAUSE:
        raise ValueError(f"{format_duration(value)} is no pause between two tries: at most 1h")
    return value


def _one_check(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _freshness(value: timedelta) -> timedelta:
    if value < _SHORTEST_FRESHNESS:
        message = f"{format_duration(value)} is shorter than Dagster measures: expected at least 1m"
        raise ValueError(message)
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Retries(_Part):
    """How often a transient failure is tried again, and the first pause between two tries."""

    max: int = Field(2, ge=0, le=10)
    delay: Annotated[Duration, AfterValidator(_pause)] = timedelta(seconds=30)


class Header(_Part):
    """The front matter of a SQL file. Every key is optional."""

    description: str = Field("", description="what the extract is, and who reads it")
    owners: Annotated[list[Owner], one_or_more] = Field(
        [], description="'team:name' or an e-mail address, or a list of them"
    )
    tags: dict[TagKey, TagValue] = {}
    group: str | None = Field(None, pattern=_GROUP, description="default: the folder")
    warehouse: str | None = Field(None, description="a configured warehouse; default: the default")
    enabled: bool = Field(
        True, description="false keeps the file, but off every schedule and sensor"
    )
    schedule: Crons = Field(
        (),
        description="a cron, words as in 'weekdays at 06:00 and 18:00', a list of them, or "
        "on_source_change; default: on demand",
    )
    timezone: TimeZone = Field("UTC", description="of the schedule, as in Europe/Berlin")
    on_change: Literal["materialize"] | None = Field(
        None, description="materialize: run when the SQL itself changes"
    )
    depends_on: Annotated[list[Annotated[str, StringConstraints(pattern=_PATH)]], one_or_more] = (
        Field([], description="other extracts that this one comes after, as folder/name")
    )
    partitions: Annotated[Partitions, BeforeValidator(read_partitions)] | None = Field(
        None,
        description="hourly, daily, weekly, monthly, {type, start, end, timezone, offset}, or a "
        "list of keys; bound as :partition_key, :partition_start, :partition_end",
    )
    incremental: Incremental | None = Field(
        None,
        description="{cursor: column, lag: 1h}: only rows past :watermark, added to what is "
        "published in parts",
    )
    params: dict[ParamName, Constant] = Field({}, description="constants, bound as :name")
    format: Format = "parquet"
    compression: Compression | None = Field(
        None, description="default: zstd for parquet and arrow, gzip for csv and jsonl"
    )
    columns: Columns | None = Field(
        None,
        description="the contract: every column of the result, in order, as 'name: int64', "
        "'name: int64 not null', or 'name: {type: int64, nullable: false}'; values are cast to "
        "the type where each of them is exact, and any other result is refused",
    )
    on_schema_change: Literal["fail", "warn", "allow"] = Field(
        "warn",
        description="columns differ from the current version's: refuse the result, publish it "
        "with a warning, or do not compare; with 'columns', only those get as far as this",
    )
    split: Split | None = Field(
        None,
        description="{rows: N} or {bytes: 256MB}: several part objects and a _manifest.json that "
        "lists them; default: one object",
    )
    on_empty: Literal["publish", "fail", "keep"] = Field(
        "publish",
        description="no rows: publish the schema alone, fail, or keep the current version",
    )
    unchanged: Literal["skip", "publish"] = Field(
        "skip", description="the same content again: add no version, or add one all the same"
    )
    checks: Annotated[
        list[Check], BeforeValidator(_one_check, json_schema_input_type=list[Check] | Check)
    ] = []
    anomalies: Literal["warn", "fail", "allow"] = Field(
        "warn",
        description="fewer or more rows than the versions before usually had, or NULLs: publish "
        "with a warning, refuse, or do not compare",
    )
    timeout: Annotated[Duration, AfterValidator(_timeout)] = Field(
        timedelta(hours=1), description="of one attempt, from signing in to publishing; at most 24h"
    )
    retries: Retries = Retries()
    cpu: Cpu | None = Field(
        None, description="vCPUs of its ECS task, rounded up; default: the deployment's"
    )
    memory: Memory | None = Field(
        None,
        description="of its ECS task; rounded up, and vCPUs with it, to a size that Fargate has; "
        "default: the deployment's",
    )
    disk: Disk | None = Field(
        None, description="of its ECS task, 21GB to 200GB; default: the deployment's"
    )
    pool: Annotated[str, StringConstraints(pattern=_POOL)] | None = Field(
        None, description="Dagster concurrency pool; default: the warehouse"
    )
    priority: int = Field(
        0, ge=-100, le=100, description="of its runs in the queue: the higher ones start first"
    )
    freshness: Annotated[Duration, AfterValidator(_freshness)] | None = Field(
        None, description="how old the published version may get before the asset shows as stale"
    )

    @property
    def crons(self) -> tuple[str, ...]:
        """When it runs by the clock, as crons; empty where it does not."""
        if self.on_source_change:
            return ()
        return tuple(cron for each in self.schedule for cron in crons_of(each) or (each,))

    @property
    def on_source_change(self) -> bool:
        """Whether it runs when a table that it reads has changed."""
        return self.schedule == (ON_SOURCE_CHANGE,)

    @property
    def audits(self) -> tuple[CheckSpec, ...]:
        """Every check of the rows: those of `checks`, those of `columns` and of `anomalies`."""
        contract = [Contract(columns=self.columns)] if self.columns else []
        return (*contract, *self.checks, *self._usual)

    @property
    def _usual(self) -> list[CheckSpec]:
        if self.anomalies == "allow":
            return []
        severity: Literal["error", "warn"] = "error" if self.anomalies == "fail" else "warn"
        may_be_empty = self.incremental is not None
        return [Anomalies(anomalies=self.anomalies, severity=severity, may_be_empty=may_be_empty)]

    def path_of_check(self, name: str) -> Path:
        """Where in the header a check of `audits` is asked for."""
        if self.columns and name == CONTRACT:
            return (CONTRACT,)
        if name == ANOMALIES:
            return ("anomalies",)
        return ("checks", [check.name for check in self.checks].index(name))

    @property
    def task_size(self) -> TaskSize:
        """What it asks of its ECS task."""
        return TaskSize(self.cpu, self.memory, self.disk)

    @property
    def has_parts(self) -> bool:
        """Whether it is published as part objects and a manifest object that lists them."""
        return self.split is not None or self.incremental is not None

    @property
    def bound_names(self) -> tuple[str, ...]:
        """Every `:name` that has a value in this extract's SQL."""
        return (
            *self.params,
            *(self.partitions.bound_names if self.partitions else ()),
            *((WATERMARK,) if self.incremental else ()),
        )

    @property
    def partition_timezone(self) -> str:
        """The time zone in which partitions begin and end."""
        return (self.partitions and self.partitions.timezone) or self.timezone

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen = set[str]()
        for index, check in enumerate(self.checks):
            if check.name in seen:
                raise at(f"check {check.name!r} stands twice in 'checks'", "checks", index)
            seen.add(check.name)
        if ON_SOURCE_CHANGE in self.schedule and not self.on_source_change:
            message = f"'schedule' has both crons and {ON_SOURCE_CHANGE}: keep one of them"
            raise at(message, "schedule")
        if self.on_source_change and self.partitions:
            raise at(
                f"'schedule: {ON_SOURCE_CHANGE}' cannot tell which partition changed: "
                f"use a cron with partitions",
                "schedule",
            )
        if self.on_change and self.partitions:
            raise at(
                "'on_change: materialize' would run every partition: launch a backfill instead",
                "on_change",
            )
        for name in _RESERVED_PARAMS.intersection(self.params):
            raise at(f"params may not redefine {name}", "params", name)
        try:
            parse_compression(self.format, self.compression)
        except ValueError as error:
            raise at(str(error), "compression") from None
        return self


def header_schema() -> dict[str, Any]:
    """The JSON Schema of the header, for editors and for programs that write SQL files."""
    schema = Header.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Header of an extract's SQL file",
    } | {key: value for key, value in schema.items() if key != "title"}


def read_header(front_matter: FrontMatter) -> Header:
    """Validate a header; raises Refused with every problem at its line and column."""
    try:
        return Header.model_validate(front_matter.data)
    except ValidationError as error:
        raise Refused(*explain(error, front_matter, Header)) from None
