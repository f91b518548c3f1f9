"""The base classes of checks: an entry in the header, and the auditor of one result."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from extract_project.errors import AuditError
from extract_project.metrics import Metrics

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


SAMPLES = 5
_NAME_LENGTH = 80


def as_list(value: Any) -> Any:
    """Accept a single column name for a list of them: `order_id` becomes `[order_id]`."""
    return [value] if isinstance(value, str) else value


one_or_more = BeforeValidator(as_list, json_schema_input_type=str | list[str])


@dataclass(frozen=True)
class Verdict:
    """The finding of an auditor. `metrics` are for programs and the UI, `summary` is for people."""

    passed: bool
    summary: str
    metrics: Mapping[str, int | float | str] = field(default_factory=dict)
    samples: tuple[dict[str, str], ...] = ()
    """Up to SAMPLES violating rows: the offending values, and columns that identify the row."""


class Baseline(Protocol):
    """The published versions that a result is compared with.

    They are read from S3 when an auditor first asks. The pipeline implements this protocol
    (`pipeline/baseline.py`).
    """

    @property
    def rows(self) -> int | None:
        """The rows of the current version of the same key; None if there is none."""

    @property
    def comparable(self) -> Sequence[Metrics]:
        """The metrics of the versions that the result should resemble, the newest last."""

    @property
    def kind(self) -> str:
        """The word for those in messages: `versions` or `partitions`."""


@dataclass(frozen=True)
class Subject:
    """The context in which a result is audited."""

    schema: pa.Schema
    began_at: datetime
    """When the run began."""
    baseline: Baseline
    counted: Callable[[], Metrics]
    """The number of rows, and of NULLs in each column, once all rows have been seen."""
    keys: Sequence[str] = ()
    """Columns that identify a row, for samples; may be empty."""
    rows_before: int = 0
    """The number of published rows to which this result is added."""


class Auditor(ABC):
    """Watches the batches of one result, and gives a verdict at the end.

    `observe` sees every batch once, in order; the batch has at least the columns in `reads`.
    `conclude` is called once, at the end. If `spools` names columns, it gets a read-only DuckDB
    connection whose table `result` has their values.
    """

    reads: Sequence[str] = ()
    spools: Sequence[str] | Literal["*"] = ()

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:  # noqa: B027
        """Look at the next rows; `first_row` counts from 1."""

    @abstractmethod
    def conclude(self, result: duckdb.DuckDBPyConnection | None) -> Verdict: ...


class CheckSpec(BaseModel, ABC):
    """One entry of `checks` in a header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: ClassVar[str]
    """The word in the header that asks for the check, and the field that has what it demands."""
    form: ClassVar[str]
    """The expected form after that word, with an example, for errors."""

    severity: Literal["error", "warn"] = Field(
        "error", description="`error` refuses the result; `warn` publishes it with a warning."
    )

    @property
    def name(self) -> str:
        """Unique within a header, letters, digits and underscores: its name in the UI."""
        return check_name(self.key, *self.named_columns)

    @property
    @abstractmethod
    def rule(self) -> str:
        """The rule in words: `order_id is unique`."""

    @property
    def named_columns(self) -> Sequence[str]:
        """The columns of the result that the check needs."""
        return ()

    @abstractmethod
    def auditor(self, subject: Subject) -> Auditor:
        """An auditor for one result.

        Raises AuditError when the check names a column that the result does not have.
        """


class ColumnsCheck(CheckSpec):
    """A check whose value is a list of columns, or a mapping of columns and what each must be."""

    @property
    def named_columns(self) -> Sequence[str]:
        return list(getattr(self, self.key))


def check_name(*parts: object) -> str:
    """A name that Dagster accepts, made of words; a hash keeps shortened or altered names
    distinct."""
    words = "_".join(str(part) for part in parts)
    name = re.sub(r"\W+", "_", words, flags=re.ASCII)
    if name == words and len(name) <= _NAME_LENGTH:
        return name
    return f"{name[:_NAME_LENGTH]}_{sha256(words.encode()).hexdigest()[:8]}"


def resolve(column: str, schema: pa.Schema, check: str) -> str:
    """The result's spelling of a column; case matters only if the result has both spellings."""
    if column in schema.names:
        return column
    alike = [name for name in schema.names if name.casefold() == column.casefold()]
    if len(alike) == 1:
        return str(alike[0])
    from extract_project.problem import suggestion

    raise AuditError(
        f"check {check!r} names column {column!r}, which the result does not have: "
        f"{suggestion(column, schema.names)}"
    )


class Samples:
    """Collects the first few violating rows of a stream, each with its row number and keys."""

    def __init__(self, column: str, keys: Sequence[str]) -> None:
        self._columns = list(dict.fromkeys([*keys, column]))
        self.rows: list[dict[str, str]] = []

    def take(self, batch: pa.RecordBatch, violates: pa.BooleanArray, first_row: int) -> None:
        """Keep rows of `batch` where `violates` is true, until there are enough."""
        if len(self.rows) >= SAMPLES:
            return
        import pyarrow.compute as pc

        from extract_project.schema.display import display

        found = pc.indices_nonzero(violates)[: SAMPLES - len(self.rows)]
        rows = batch.select(self._columns).take(found)
        shown = {name: display(rows.column(name)) for name in self._columns}
        self.rows += [
            {"row": str(first_row + index)} | {name: shown[name][i] for name in self._columns}
            for i, index in enumerate(found.to_pylist())
        ]
