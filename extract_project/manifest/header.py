"""The header of a SQL file as a typed model; its JSON Schema is what editors complete from."""

from __future__ import annotations

import re
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

from extract_project.constants import Constant
from extract_project.manifest.cron import ON_SOURCE_CHANGE, Crons, TimeZone
from extract_project.manifest.frontmatter import FrontMatter, Path
from extract_project.manifest.incremental import WATERMARK, Incremental
from extract_project.manifest.partitions import Partitions, read_partitions
from extract_project.manifest.problem import Problem, Refused, suggestion
from extract_project.manifest.split import Split
from extract_project.manifest.task_size import Cpu, Disk, Memory, TaskSize
from extract_project.publish.checks import CHECK_NAMES, Check
from extract_project.publish.checks.base import CheckSpec
from extract_project.publish.checks.freshness import Recency
from extract_project.publish.checks.usual import USUAL, Usual
from extract_project.publish.contract import KEY as CONTRACT
from extract_project.publish.contract import Column, Columns, Contract
from extract_project.publish.formats.options import Compression, Format, parse_compression
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.units import Duration, format_duration

# Dagster's rules, stated here so that a bad value is one red extract with its line, and not an
# error of the whole code location (dagster/_core/definitions/utils.py, .../asset_spec.py).
_GROUP = r"^[A-Za-z0-9_]+$"
_OWNER = r"^(team:[A-Za-z0-9_-]+|[^@\s]+@[^@\s]+\.[^@\s]+)$"
_TAG_KEY = r"^([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}$"
_TAG_VALUE = r"^[A-Za-z0-9_.-]{0,63}$"
_PATH = r"^[^/\s][^/]*(/[^/]+)*$"

Owner = Annotated[str, StringConstraints(pattern=_OWNER)]
TagKey = Annotated[str, StringConstraints(pattern=_TAG_KEY)]
TagValue = Annotated[str, StringConstraints(pattern=_TAG_VALUE)]
ParamName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_RESERVED_PARAMS = {"partition_key", "partition_start", "partition_end", WATERMARK}


def _timeout(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST_TIMEOUT:
        raise ValueError(
            f"{format_duration(value)} is no timeout: expected more than 0s, at most 24h"
        )
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Retries(_Part):
    """How often a transient failure is tried again, and the first pause between two tries."""

    max: int = Field(2, ge=0, le=10)
    delay: Duration = timedelta(seconds=30)


class Header(_Part):
    """The front matter of a SQL file. Every key is optional."""

    description: str = Field("", description="what the extract is, and who reads it")
    owners: list[Owner] = Field([], description="'team:name' or an e-mail address")
    tags: dict[TagKey, TagValue] = {}
    group: str | None = Field(None, pattern=_GROUP, description="default: the folder")
    warehouse: str | None = Field(None, description="a configured warehouse; default: the default")
    enabled: bool = Field(
        True, description="false keeps the file, but off every schedule and sensor"
    )
    schedule: Crons = Field(
        (), description="cron, a list of crons, or on_source_change; default: on demand"
    )
    timezone: TimeZone = Field("UTC", description="of the schedule, as in Europe/Berlin")
    on_change: Literal["materialize"] | None = Field(
        None, description="materialize: run when the SQL itself changes"
    )
    depends_on: list[Annotated[str, StringConstraints(pattern=_PATH)]] = Field(
        [], description="other extracts that this one comes after, as folder/name"
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
    checks: list[Check] = []
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
    pool: str | None = Field(None, description="Dagster concurrency pool; default: the warehouse")
    priority: int = Field(
        0, ge=-100, le=100, description="of its runs in the queue: the higher ones start first"
    )
    freshness: Duration | None = Field(
        None, description="how old the published version may get before the asset shows as stale"
    )

    @property
    def crons(self) -> tuple[str, ...]:
        """When it runs by the clock; empty where it does not."""
        return () if self.on_source_change else self.schedule

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
        return [Usual(anomalies=self.anomalies, severity=severity, may_be_empty=may_be_empty)]

    def path_of_check(self, name: str) -> Path:
        """Where in the header a check of `audits` is asked for."""
        if self.columns and name == CONTRACT:
            return (CONTRACT,)
        if name == USUAL:
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
        names = [check.name for check in self.checks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"check {name!r} stands twice in 'checks'")
        if ON_SOURCE_CHANGE in self.schedule and not self.on_source_change:
            raise ValueError(f"'schedule' has both crons and {ON_SOURCE_CHANGE}: keep one of them")
        if self.on_source_change and self.partitions:
            raise ValueError(
                f"'schedule: {ON_SOURCE_CHANGE}' cannot tell which partition changed: "
                f"use a cron with partitions"
            )
        if self.on_change and self.partitions:
            raise ValueError(
                "'on_change: materialize' would run every partition: launch a backfill instead"
            )
        reserved = _RESERVED_PARAMS.intersection(self.params)
        if reserved:
            raise ValueError(f"params may not redefine {', '.join(sorted(reserved))}")
        parse_compression(self.format, self.compression)
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
        raise Refused(*(_problem(item, front_matter) for item in error.errors())) from None


def _problem(item: Any, front_matter: FrontMatter) -> Problem:
    path = tuple(part for part in item["loc"] if part not in _UNION_WORDS)
    if path[:1] == ("checks",):
        path = (*path[:2], *path[3:])  # the third is the discriminator's tag, not a key
    if path[:2] == ("partitions", "keys"):
        path = ("partitions", *path[2:])  # a plain list, in the file
    if path[:1] == ("columns",):
        path = _column_path(item, path, front_matter)
    line, column = front_matter.place(path)
    return Problem(line=line, column=column, message=_message(item, path))


def _column_path(item: Any, path: Path, front_matter: FrontMatter) -> Path:
    """The column's own key, where the short form has no `type` below it."""
    if item["type"] == "column_name":
        return (*path, item["ctx"]["column"])
    return path if path in front_matter.places else path[:2]


_UNION_WORDS = {"function-before", "function-after", "[key]"}


def _message(item: Any, path: tuple[Any, ...]) -> str:
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    where = f"{name!r}: " if name else ""
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "unknown_check":
        return _unknown_check(item["input"])
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return (
            f"{where}{item['input']!r} is not possible: {suggestion(str(item['input']), choices)}"
        )
    if kind == "column_name":
        return str(context["error"])
    if kind == "value_error":
        return f"{where if len(path) else ''}{context['error']}"
    if kind == "string_pattern_mismatch":
        return f"{where}{item['input']!r} has the wrong form: {_form(context['pattern'])}"
    return f"{where}{_lower(item['msg'])}, not {item['input']!r}"


def _unknown_key(path: tuple[Any, ...]) -> str:
    word = str(path[-1])
    known = list(Header.model_fields)
    if path[0] == "checks" and "freshness" in path[:-1]:
        return f"unknown key {word!r}: {suggestion(word, list(Recency.model_fields))}"
    if path[0] == "checks" and word in CHECK_NAMES:
        return f"{word!r} is a check of its own: write it as another entry, behind another dash"
    if path[0] == "checks":
        known = [*CHECK_NAMES, "severity", "label"]
    elif path[0] == "columns":
        known = list(Column.model_fields)
    elif path[0] == "retries":
        known = list(Retries.model_fields)
    elif path[0] == "partitions":
        known = [key for key in Partitions.model_fields if key != "keys"]
    elif path[0] == "split":
        known = list(Split.model_fields)
    elif path[0] == "incremental":
        known = list(Incremental.model_fields)
    return f"unknown key {word!r}: {suggestion(word, known)}"


def _unknown_check(given: Any) -> str:
    word = str(next(iter(given), "") if isinstance(given, dict) else given)
    if word in CHECK_NAMES:
        return f"check {word!r} has no rule: write '{word}: …'"
    return f"unknown check {word!r}: {suggestion(word, CHECK_NAMES)}"


def _form(pattern: str) -> str:
    forms = {
        _OWNER: "expected 'team:name' or an e-mail address",
        _GROUP: "expected letters, digits and underscores",
        _PATH: "expected folder/name of another extract",
    }
    return forms.get(pattern, f"expected {pattern}")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
