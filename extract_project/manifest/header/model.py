"""The header of a SQL file as a typed model."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from extract_project.checks import Check
from extract_project.checks.anomalies import ANOMALIES, Anomalies
from extract_project.checks.base import CheckSpec, one_or_more
from extract_project.checks.contract import KEY as CONTRACT
from extract_project.checks.contract import Columns, ColumnText, Contract
from extract_project.expected import Expected
from extract_project.formats.compression import Compression
from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.protocol import FileFormat, FormatOptions
from extract_project.formats.registry import FormatName, chosen_format
from extract_project.manifest.fields.consumers import Consumer
from extract_project.manifest.fields.cron import ON_SOURCE_CHANGE, Crons, TimeZone
from extract_project.manifest.fields.dagster_names import Group, Owner, Pool, TagKey, TagValue
from extract_project.manifest.fields.durations import Freshness, Retries, Timeout
from extract_project.manifest.fields.incremental import WATERMARK, Incremental
from extract_project.manifest.fields.params import ParamName
from extract_project.manifest.fields.partitions import Partitions, read_partitions
from extract_project.manifest.fields.path import PublishedPath
from extract_project.manifest.fields.schedule_words import crons_of
from extract_project.manifest.fields.split import Split
from extract_project.manifest.fields.task_size import Cpu, Disk, Memory, TaskSize
from extract_project.manifest.header.frontmatter import Path
from extract_project.schema.choices import Integers, Numeric, Timestamps, TypeChoices
from extract_project.store.destination import DATA
from extract_project.units import Size
from extract_project.values import Constant

_MOST_DESTINATIONS = 8
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_PATH = r"^[^/\s][^/]*(/[^/]+)*$"


def _one_check(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class ShapesData:
    """Marks a header key that affects the published data: see `code_version`."""


SHAPES_DATA = ShapesData()


class OneExtract:
    """Marks a header key that is about one extract, so that a folder has no default for it."""


ONE_EXTRACT = OneExtract()


class Header(BaseModel):
    """The front matter of a SQL file. Every key is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # docs/header.md and the JSON Schema are generated from the descriptions. The text after
    # "Default:" says what an absent key means, if the default value does not.

    description: Annotated[str, ONE_EXTRACT, Expected("text")] = Field(
        "", description="What the extract is, and who reads it. Markdown."
    )
    owners: Annotated[
        list[Owner],
        one_or_more,
        Expected("'team:sales' or an e-mail address as in ana@acme.com, or a list of them"),
    ] = Field([], description="Its owners: `team:sales`, an e-mail address, or a list of them.")
    tags: Annotated[
        dict[TagKey, TagValue], Expected("a mapping of words, as in {domain: sales}")
    ] = Field({}, description="Tags of the asset, to search for in the UI.")
    group: Annotated[Group | None, Expected("letters, digits and underscores, as in sales_eu")] = (
        Field(None, description="The asset's group in the UI. Default: the folder")
    )
    warehouse: Annotated[str | None, SHAPES_DATA] = Field(
        None,
        description="Name of the configured warehouse that runs the query. Default: the "
        "installation's default",
    )
    enabled: Annotated[bool, Expected("true or false")] = Field(
        True,
        description="`false` keeps the asset, but no schedule and no sensor starts it.",
    )
    schedule: Annotated[
        Crons, Expected("a cron as in '0 6 * * *', words as in 'daily at 06:00', or a list of them")
    ] = Field(
        (),
        description="When it runs: a cron; words, as in `every 15 minutes` or "
        "`weekdays at 06:00 and 18:00`; a list of them; or `on_source_change`, when a table that "
        "the query reads has changed. Default: on demand only",
    )
    timezone: Annotated[TimeZone, Expected("a name as in Europe/Berlin")] = Field(
        "UTC", description="Time zone of the schedule and of partitions, as in `Europe/Berlin`."
    )
    on_change: Literal["materialize"] | None = Field(
        None,
        description="`materialize` runs the extract when its own SQL changes, or a key that shapes "
        "the data. Default: the change waits for the next run",
    )
    depends_on: Annotated[
        list[Annotated[str, StringConstraints(pattern=_PATH)]],
        one_or_more,
        Expected("the folder/name of another extract, or a list of them"),
    ] = Field(
        [],
        description="Upstream extracts, as `folder/name`, also of other code locations. With a "
        "schedule, each tick waits for theirs; without one, this extract runs when their data is "
        "new.",
    )
    consumers: Annotated[
        list[Consumer], one_or_more, Expected("a name as in crm, or a list of them")
    ] = Field(
        [],
        description="Who reads what is published, as in `[crm, team:billing]`. They are shown with "
        "the extract, and `extract plan` names them when a change breaks what they read.",
    )
    partitions: Annotated[
        Annotated[Partitions, BeforeValidator(read_partitions)] | None,
        Expected(
            "hourly, daily, weekly, monthly, {type: daily, start: 2026-01-01}, or a list of "
            "keys as in [eu, us]"
        ),
    ] = Field(
        None,
        description="One object for each window of time or each key: `hourly`, `daily`, `weekly`, "
        "`monthly`, the full form below, or a list of keys. The query gets `:partition_key`, "
        "`:partition_start` and `:partition_end`. Default: one object",
    )
    incremental: Annotated[Incremental | None, Expected("{cursor: updated_at, lag: 1h}")] = Field(
        None,
        description="Query only rows past `:watermark`, and add them to what is published, as in "
        "`{cursor: updated_at, lag: 1h}`. Default: every run publishes the whole result",
    )
    params: Annotated[
        dict[ParamName, Constant],
        SHAPES_DATA,
        Expected(
            "a mapping of names (letters, digits, '_') and values, as in {region: EU, least: 5}"
        ),
    ] = Field(
        {},
        description="Constants by name, as in `{country: DE}`. The query uses each as `:name`; "
        "they are bound as parameters, never inserted into the text.",
    )
    format: Annotated[FormatName, SHAPES_DATA] = Field(
        "parquet", description="The file format that is published."
    )
    compression: Annotated[
        Compression | None,
        SHAPES_DATA,
        Expected("zstd, snappy, lz4, gzip or none, some with a level, as in zstd(9)"),
    ] = Field(
        None,
        description="As the format allows: `zstd` (or `zstd(1)` to `zstd(22)`), `snappy`, `lz4`, "
        "`gzip` (or `gzip(1)` to `gzip(9)`), `none`. Default: zstd for parquet and arrow, gzip for "
        "csv and jsonl",
    )
    csv: Annotated[
        Dialect | None, Expected("a mapping, as in {delimiter: ';', encoding: windows-1252}")
    ] = Field(
        None,
        description="The dialect of `format: csv`, as in "
        '`{delimiter: ";", encoding: windows-1252, decimal: ","}`. Default: RFC 4180, UTF-8',
    )
    columns: Annotated[
        Columns | None,
        SHAPES_DATA,
        ONE_EXTRACT,
        Expected("a mapping of names and types, as in {order_id: int64 not null}"),
    ] = Field(
        None,
        description="A contract of the result: every column in order, as `name: int64`, "
        "`name: int64 not null`, or in the full form below. Values are cast where the cast is "
        "exact; any other result is refused. Default: the query decides",
    )
    describe: Annotated[
        dict[str, ColumnText],
        Expected("a mapping of columns and texts, as in {order_id: the shop's number}"),
    ] = Field(
        {},
        description="What columns mean, as in `{order_id: the shop's number}`, without a contract. "
        "A description in `columns` comes first. Default: the comment behind the column in the "
        "SQL, else the warehouse's own",
    )
    integers: Annotated[Integers | None, SHAPES_DATA] = Field(
        None,
        description="Integers of more than 18 digits, such as Snowflake's `INTEGER`: `int64` "
        "refuses a value beyond it, `decimal` keeps every value. A type in `columns` comes first. "
        "Default: the warehouse's, `int64`",
    )
    timestamps: Annotated[Timestamps | None, SHAPES_DATA] = Field(
        None,
        description="Timestamps and times with nanoseconds, such as Snowflake's `TIMESTAMP_NTZ`: "
        "`us` refuses a value with digits beyond a microsecond, `ns` keeps them and refuses years "
        "outside 1677 to 2262. A type in `columns` comes first. Default: the warehouse's, `us`",
    )
    numeric: Annotated[Numeric | None, SHAPES_DATA] = Field(
        None,
        description="Postgres' `numeric` without a precision, such as `sum(x)` and `avg(x)`, and "
        "BigQuery's `BIGNUMERIC`: `decimal(38,9)` refuses a value that does not fit, `text` keeps "
        "every digit. A type in `columns` comes first. Default: the warehouse's, `decimal(38,9)`",
    )
    on_schema_change: Literal["fail", "warn", "allow"] = Field(
        "warn",
        description="What happens when the columns differ from the current version's: `fail` "
        "refuses the result, `warn` publishes it with a warning, `allow` does not compare. A "
        "`columns` contract refuses by itself what it does not name.",
    )
    to: Annotated[
        list[Annotated[str, StringConstraints(to_lower=True, pattern=_NAME)]],
        one_or_more,
        Field(min_length=1, max_length=_MOST_DESTINATIONS),
        Expected(
            f"the name of a destination, as in crm, or a list of at most {_MOST_DESTINATIONS}"
        ),
    ] = Field(
        [DATA],
        description="The destination, as in `crm`, one of those in the settings; or a list of them "
        "for one query. Default: `data`, which is EXTRACT_DATA",
    )
    path: Annotated[
        PublishedPath | None,
        Expected(
            "text, as in outbound/{name}_{partition:%Y%m%d}.csv, in quotes if it begins with '{'"
        ),
    ] = Field(
        None,
        description="Name of the object at the destination, as in "
        "`outbound/{name}_{partition:%Y%m%d}.csv`: `{name}` and `{folder}` are those of the SQL "
        "file, `{partition}` is the key of the partition or, with directives of strftime, when it "
        "begins. With `split` or `incremental`, the folder of the parts. Default: from the path of "
        "the SQL file",
    )
    split: Annotated[Split | None, Expected("{rows: 1000000} or {bytes: 256MB}")] = Field(
        None,
        description="Publish several part objects and a `_manifest.json` that lists them, as in "
        "`{rows: 1000000}` or `{bytes: 256MB}`. Default: one object",
    )
    engine: Literal["stream", "unload", "auto"] = Field(
        "stream",
        description="Who writes the files: `stream`, the run; `unload`, the warehouse itself, as "
        "parts, for results that outgrow one task; `auto`, the warehouse where the result has many "
        "rows, which is a setting of the warehouse.",
    )
    on_empty: Literal["publish", "fail", "keep"] = Field(
        "publish",
        description="What happens to a result without rows: `publish` a file with only the "
        "schema, `fail`, or `keep` the current version.",
    )
    unchanged: Literal["skip", "publish"] = Field(
        "skip",
        description="What happens when the content is the same as before: `skip` adds no version, "
        "`publish` adds one.",
    )
    checks: Annotated[
        list[Check],
        BeforeValidator(_one_check, json_schema_input_type=list[Check] | Check),
        Expected("a list, each check after a dash: '- min_rows: 1'"),
    ] = Field(
        [],
        description="Rules that a result must satisfy to be published; see the checks below.",
    )
    anomalies: Literal["warn", "fail", "allow"] = Field(
        "warn",
        description="What happens when the number of rows, or of NULLs in a column, is unlike "
        "the versions before: `warn` publishes with a warning, `fail` refuses, `allow` does not "
        "compare.",
    )
    timeout: Timeout = Field(
        timedelta(hours=1),
        description="How long one attempt may take, from signing in to publishing, as in `30m`. "
        "At most `24h`.",
    )
    retries: Annotated[Retries, Expected("{max: 2, delay: 30s}")] = Field(
        Retries(),
        description="How often a transient failure is tried again, as in `{max: 3, delay: 10s}`. "
        "Errors in the SQL or the data are never retried. Default: `{max: 2, delay: 30s}`",
    )
    max_bytes: Size | None = Field(
        None,
        description="The most that a query may be billed for, as in `100GB`, where a warehouse "
        "bills what it reads, as BigQuery does. A query that is above it is refused before it "
        "runs. Default: no limit",
    )
    cpu: Cpu | None = Field(
        None,
        description="vCPUs of its ECS task, rounded up to what Fargate has. Default: the "
        "deployment's",
    )
    memory: Memory | None = Field(
        None,
        description="Memory of its ECS task, rounded up, and vCPUs with it, to a size that Fargate "
        "has. Default: the deployment's",
    )
    disk: Disk | None = Field(
        None, description="Disk of its ECS task, `21GB` to `200GB`. Default: the deployment's"
    )
    pool: Annotated[Pool | None, Expected("letters, digits, '_', '-' and '/', as in heavy")] = (
        Field(
            None,
            description="Dagster's concurrency pool, which limits how many run at once. "
            "Default: the warehouse's name",
        )
    )
    priority: Annotated[int, Expected("a whole number from -100 to 100")] = Field(
        0,
        ge=-100,
        le=100,
        description="Priority of its runs in the queue, -100 to 100: higher ones start first.",
    )
    freshness: Annotated[Freshness | None, Expected("a duration, as in 26h")] = Field(
        None,
        description="How old the published version may get before the asset shows as stale, as in "
        "`26h`. Default: any age",
    )

    @property
    def format_options(self) -> dict[str, FormatOptions | None]:
        """The options of each format, by its name; None if they are not written."""
        return {"csv": self.csv}

    @property
    def file_format(self) -> FileFormat:
        """The file format; raises ValueError if the compression does not fit it."""
        options = self.format_options.get(self.format)
        return chosen_format(self.format, self.compression, options)

    @cached_property
    def crons(self) -> tuple[str, ...]:
        """Its schedule as crons; empty if it has none."""
        if self.on_source_change:
            return ()
        return tuple(cron for each in self.schedule for cron in crons_of(each) or (each,))

    @property
    def on_source_change(self) -> bool:
        """Whether it runs if a table that it reads has changed."""
        return self.schedule == (ON_SOURCE_CHANGE,)

    @property
    def audits(self) -> tuple[CheckSpec, ...]:
        """All checks of the rows: those in `checks`, and the checks `columns` and `anomalies`."""
        contract = [Contract(columns=self.columns)] if self.columns else []
        return (*contract, *self.checks, *self._anomalies)

    @property
    def _anomalies(self) -> list[CheckSpec]:
        if self.anomalies == "allow":
            return []
        severity: Literal["error", "warn"] = "error" if self.anomalies == "fail" else "warn"
        may_be_empty = self.incremental is not None
        return [Anomalies(anomalies=self.anomalies, severity=severity, may_be_empty=may_be_empty)]

    def path_of_check(self, name: str) -> Path:
        """The path in the header of a check in `audits`."""
        if self.columns and name == CONTRACT:
            return (CONTRACT,)
        if name == ANOMALIES:
            return ("anomalies",)
        return ("checks", [check.name for check in self.checks].index(name))

    def types(self, warehouse: TypeChoices) -> TypeChoices:
        """The types chosen for wide types: the header's, else those of the warehouse."""
        return warehouse.overridden(self.integers, self.timestamps, self.numeric)

    @property
    def task_size(self) -> TaskSize:
        """The requested size of its ECS task."""
        return TaskSize(self.cpu, self.memory, self.disk)

    @property
    def has_parts(self) -> bool:
        """Whether it is published as part objects and a manifest object that lists them."""
        return self.split is not None or self.incremental is not None or self.may_unload

    @property
    def may_unload(self) -> bool:
        """Whether the warehouse may write the files."""
        return self.engine != "stream"

    @property
    def bound_names(self) -> tuple[str, ...]:
        """Every `:name` that can be used in this extract's SQL."""
        return (
            *self.params,
            *(self.partitions.bound_names if self.partitions else ()),
            *((WATERMARK,) if self.incremental else ()),
        )

    @property
    def form_of_keys(self) -> str | None:
        """How the start of a partition is written as its key; None without time partitions."""
        return self.partitions.form_of_keys if self.partitions else None

    @property
    def partition_timezone(self) -> str:
        """The time zone in which partitions begin and end."""
        return (self.partitions and self.partitions.timezone) or self.timezone
