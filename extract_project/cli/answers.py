"""The answers that commands print with `--json`, one model each; `extract schema` describes them.

Keys are lower case with underscores, times are ISO 8601 with their offset, sizes are bytes, and
durations are seconds. What is not known is null. Keys may be added; none changes its meaning.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import click
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

A = TypeVar("A", bound=BaseModel)


def print_answer(model: type[A], told: Any) -> None:
    """Print what a command tells, as JSON of its model."""
    click.echo(model.model_validate(told).model_dump_json(indent=2, by_alias=True))


class Answer(BaseModel):
    """One document on standard output."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorAnswer(Answer):
    """What any command prints instead of its answer where it could not do its work: exit code 2."""

    error: str


class CheckedProblem(Answer):
    """A fault of a file, at its place."""

    file: str
    line: int
    column: int
    message: str
    severity: Literal["error", "warning"]


class CheckAnswer(RootModel[tuple[CheckedProblem, ...]]):
    """`extract check`: every fault."""


class DoctorFinding(Answer):
    """One check of an installation."""

    subject: str
    ok: bool
    detail: str
    fix: str


class DoctorAnswer(RootModel[tuple[DoctorFinding, ...]]):
    """`extract doctor`: every check."""


class BrokenAsset(Answer):
    """An asset in Dagster that is no extract, and depends on one."""

    key: str
    columns: tuple[str, ...] | None
    """The changed columns that it uses; null if its column lineage does not say."""


class BreakingChange(Answer):
    """What a change breaks, and for whom."""

    changes: tuple[str, ...]
    consumers: tuple[str, ...]
    extracts: tuple[str, ...]
    assets: tuple[BrokenAsset, ...]


class NarrowedColumns(Answer):
    """Columns whose values have to fit a narrower type."""

    columns: tuple[str, ...]
    warehouse: str
    file: str
    keys: tuple[str, ...]


class PlannedSchema(Answer):
    """Columns and their types: those published and those that the warehouse describes."""

    published: dict[str, str] | None
    planned: dict[str, str] | None
    changes: tuple[str, ...]
    refusal: str | None
    narrowed: tuple[NarrowedColumns, ...]
    warnings: tuple[str, ...]
    bytes_billed: int | None
    """What the query would be billed for, at most; None if the warehouse does not bill bytes."""


class PlannedExtract(BaseModel):
    """What a push would change of one extract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: str
    change: str
    """`new`, `changed`, `removed`, `invalid` or `same`."""
    changes_data: bool | None
    defaults: tuple[str, ...]
    changed_keys: tuple[str, ...]
    problems: tuple[str, ...]
    breaking: BreakingChange | None
    columns: PlannedSchema | None = Field(None, alias="schema")
    diff: tuple[str, ...] | None = None
    """Of the SQL, a line each, with --diff."""


class PlanAnswer(RootModel[tuple[PlannedExtract, ...]]):
    """`extract plan`: every file."""


class PreviewAnswer(Answer):
    """`extract preview`: the first rows of a query. Exact decimals and times are text."""

    columns: dict[str, str]
    rows: tuple[dict[str, Any], ...]
    complete: bool
    """Whether these are all the rows."""
    query_id: str | None


class PublishedVersion(BaseModel):
    """A version or a delete marker, with the provenance that is stored with the object."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version_id: str
    published_at: AwareDatetime
    current: bool
    deleted: bool
    uri: str | None = None
    bytes: int | None = None
    rows: int | None = None
    rows_change: int | None = None
    sql_changed: bool | None = None
    schema_changed: bool | None = None
    run_id: str | None = None
    snapshot: str | None = None
    partition: str | None = None
    query_id: str | None = None
    sql_key: str | None = None
    sql_version: str | None = None
    sql_sha256: str | None = None
    schema_sha256: str | None = None
    data_sha256: str | None = None
    started_at: AwareDatetime | None = None
    receipt: str | None = None
    pinned: bool | None = None
    restored_from: str | None = None


class VersionsAnswer(RootModel[tuple[PublishedVersion, ...]]):
    """`extract versions`: the newest first."""


class DiffSide(Answer):
    """One of two versions."""

    version_id: str
    published_at: AwareDatetime
    rows: int | None


class SqlDiff(Answer):
    """How the SQL of two versions differs."""

    verdict: str
    text: str


class DiffAnswer(Answer):
    """`extract diff`: what differs between two versions."""

    verdict: str
    same: bool
    old: DiffSide
    new: DiffSide
    sql: SqlDiff
    columns: tuple[str, ...] = Field(alias="schema")
    """How they differ, a line each."""
    rows: dict[str, Any] | None


class ShownSchedule(Answer):
    """When an extract runs."""

    text: str
    crons: tuple[str, ...]
    timezone: str
    next_start: AwareDatetime | None


class HeaderKey(Answer):
    """A key of the effective header."""

    key: str
    value: Any
    written_in: str | None
    """The SQL file, or the defaults that it comes from; null if it is the key's default."""


class Recipe(Answer):
    """How to read the published data in one language."""

    name: str
    language: str
    text: str


class ShowAnswer(Answer):
    """`extract show`: what an extract is."""

    extract: str
    sql: dict[str, Any]
    defaults: tuple[dict[str, Any], ...]
    warehouse: str
    warehouse_type: str
    header: tuple[HeaderKey, ...]
    schedule: ShownSchedule
    uri: str | None = None
    destinations: tuple[dict[str, Any], ...] = ()
    """Where it is published, and what is there."""
    published: dict[str, Any] | None = None
    """The current version: its columns, rows and times, as in the catalogue."""
    recipes: tuple[Recipe, ...] = ()


class PrunedVersion(Answer):
    """A replaced version, part or delete marker."""

    extract: str
    kind: str
    bucket: str
    key: str
    version_id: str
    bytes: int
    replaced_at: AwareDatetime


class PrunedUpload(Answer):
    """An upload that nobody finishes."""

    bucket: str
    key: str
    begun_at: AwareDatetime


class PruneAnswer(RootModel[tuple[PrunedVersion | PrunedUpload, ...]]):
    """`extract prune`: what was removed, or would be."""
