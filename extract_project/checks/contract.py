"""`columns`: the columns that a header promises, and the enforcement of the promise.

Names and order must be the result's, else no row is fetched. A declared type becomes the file's
if every value fits it exactly; each value is checked. `not null` is checked in every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict
from extract_project.checks.columns import NotNull
from extract_project.errors import SchemaError
from extract_project.expected import Expected
from extract_project.schema.spelling import PATTERN, parse_type, spelled

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.schema.change import ColumnChange

KEY = "columns"
"""The header key, and the name of the check."""

_NOT_NULL = re.compile(r"\s+not\s+null\s*$", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"(?!(?i:true|false|null)$)[A-Za-z_][A-Za-z0-9_]*")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _canonical(text: str) -> str:
    return str(parse_type(text))


ColumnText = Annotated[str, AfterValidator(_one_line)]
"""What a column means: one paragraph."""


class Column(BaseModel):
    """One column: `{type: int64, nullable: false}`, or `int64 not null` for short."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, AfterValidator(_canonical)] = Field(
        description="`int8` to `int64`, `uint8` to `uint64`, `float32`, `float64`, "
        "`decimal(38,9)`, `text`, `json`, `bool`, `binary`, `date`, `time`, `timestamp`, "
        "`timestamptz` (microseconds; `timestamp(9)` for nanoseconds), `list<int64>`, "
        "`map<text, int64>`, `struct<a int64, b text>`.",
        json_schema_extra={"pattern": PATTERN + r"\s*$"},
    )
    nullable: Annotated[bool, Expected("true or false")] = Field(
        True, description="`false` refuses a result with a NULL in the column."
    )
    description: ColumnText = Field("", description="What the column means, for those who read it.")


def _read_column(value: Any) -> Any:
    if isinstance(value, str):
        text = _NOT_NULL.sub("", value)
        return {"type": text, "nullable": text == value}
    if isinstance(value, dict | Column):
        return value
    raise ValueError("expected a type, as in 'int64' or 'int64 not null'")


_ShortForm = Annotated[
    str,
    Field(
        pattern=PATTERN + r"(\s+[nN][oO][tT]\s+[nN][uU][lL][lL])?\s*$",
        examples=["int64 not null", "decimal(38,9)", "text", "timestamptz"],
    ),
]


def _distinct(columns: dict[str, Column]) -> dict[str, Column]:
    """Require names that a result can have: not empty, and distinct in more than case."""
    seen: dict[str, str] = {}
    for name in columns:
        first = seen.setdefault(name.casefold(), name)
        if first != name or not name.strip():
            fault = (
                f"{name!r} and {first!r} differ only in case: a result cannot have both"
                if name.strip()
                else "a column without a name: a result cannot have one"
            )
            raise PydanticCustomError("column_name", "{error}", {"error": fault, "column": name})
    return columns


Columns = Annotated[
    dict[
        str,
        Annotated[
            Column, BeforeValidator(_read_column, json_schema_input_type=Column | _ShortForm)
        ],
    ],
    Field(min_length=1),
    AfterValidator(_distinct),
]


class Contract(CheckSpec):
    """The header key `columns` as a check; it needs no entry in `checks`."""

    columns: dict[str, Column]

    @property
    def name(self) -> str:
        return KEY

    @property
    def rule(self) -> str:
        never = ", ".join(required_columns(self.columns))
        return "names, order and types as declared" + (f"; {never} never null" if never else "")

    def auditor(self, subject: Subject) -> Auditor:
        required = required_columns(self.columns)
        nulls = NotNull(not_null=required).auditor(subject) if required else None
        return _ContractAuditor(self.rule, nulls)


class _ContractAuditor(Auditor):
    """Checks for NULLs. Names and types have been compared before the first row."""

    def __init__(self, rule: str, nulls: Auditor | None) -> None:
        self._rule, self._nulls = rule, nulls
        self.reads = nulls.reads if nulls else ()

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:
        if self._nulls:
            self._nulls.observe(batch, first_row)

    def conclude(self, result: Any) -> Verdict:
        found = self._nulls.conclude(result) if self._nulls else Verdict(True, "")
        if not found.passed:
            return found
        return Verdict(True, f"{self._rule}: kept", found.metrics)


def required_columns(columns: Mapping[str, Column] | None) -> list[str]:
    """The columns that are declared `not null`."""
    return [name for name, column in (columns or {}).items() if not column.nullable]


def declared_types(columns: Mapping[str, Column] | None) -> dict[str, pa.DataType]:
    """The Arrow type of each declared column."""
    return {name: parse_type(column.type).arrow() for name, column in (columns or {}).items()}


def agreed_schema(columns: Mapping[str, Column] | None, found: pa.Schema) -> pa.Schema:
    """The file's schema for a result with schema `found`; SchemaError lists every difference."""
    import pyarrow as pa

    from extract_project.schema.change import compare_schemas
    from extract_project.schema.exact import is_exact

    if columns is None:
        return found
    declared = pa.schema(list(declared_types(columns).items()))
    faults = [
        _fault(change)
        for change in compare_schemas(declared, found).changes
        if change.kind != "retyped"
        or not (change.before and change.after)
        or not is_exact(change.after.type, change.before.type)
    ]
    if faults:
        raise SchemaError(
            KEY,
            faults,
            "fix the SQL, or, if the new columns are intended, declare them:\n"
            + written(found, columns),
        )
    return declared


def kept(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows cast to `schema`; SchemaError names the column, row and value that do not fit."""
    import pyarrow as pa

    from extract_project.schema.exact import Misfit, exact_cast

    rows = 0
    for batch in batches:
        if batch.schema.equals(schema):
            yield batch
            rows += batch.num_rows
            continue
        columns = []
        for column, field in zip(batch.columns, schema, strict=True):
            try:
                columns.append(exact_cast(column, field.type))
            except Misfit as misfit:
                fault = (
                    f"row {rows + misfit.index + 1:,} has {misfit.value} in {field.name!r}, which "
                    f"does not fit {spelled(field.type)} exactly"
                )
                raise SchemaError(
                    KEY, [((KEY, field.name), fault)], "declare a wider type, or fix the SQL"
                ) from None
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        rows += batch.num_rows


def written(schema: pa.Schema, columns: Mapping[str, Column] | None = None) -> str:
    """The `columns` key that declares a schema; columns keep their `not null` and description."""
    lines = [f"{KEY}:"]
    for field in schema:
        known = (columns or {}).get(field.name)
        name = field.name if _PLAIN_NAME.fullmatch(field.name) else _quoted(field.name)
        lines.append(f"  {name}: {_written(spelled(field.type), known)}")
    return "\n".join(lines)


def _written(kind: str, column: Column | None) -> str:
    """The value of one column, in short where it has no description."""
    if column is None or not column.description:
        return kind if column is None or column.nullable else f"{kind} not null"
    shown = _quoted(kind) if "," in kind else kind
    required = "" if column.nullable else ", nullable: false"
    return f"{{type: {shown}{required}, description: {_quoted(column.description)}}}"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _fault(change: ColumnChange) -> tuple[tuple[str, ...], str]:
    """A difference from the declared columns, and the path of the header key that it belongs to."""
    old, new = change.before, change.after
    if old is None:
        assert new is not None
        where = f"after {new.after!r}" if new.after else "at the front"
        path = (KEY, new.after) if new.after else (KEY,)
        return path, f"the result has {new.name!r}, {spelled(new.type)}, {where}: not declared"
    path = (KEY, old.name)
    if new is None:
        return path, f"{old.name!r} is declared, but the result does not have it"
    if change.kind == "renamed":
        return path, f"{old.name!r} is declared, but the result has {new.name!r} in its place"
    if change.kind == "moved":
        return path, (
            f"{old.name!r} is declared as column {old.position}, but is column {new.position} of "
            f"the result"
        )
    return path, (
        f"{old.name!r} is declared {spelled(old.type)}, but the result has {spelled(new.type)}, "
        f"which does not fit that type exactly"
    )
