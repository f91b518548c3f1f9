"""Find columns that are narrower in the file than in the warehouse, and the keys to keep them wide.

`extract plan` reports them before anything runs, and so does the message about a changed type.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from extract_project.schema.spelling import spelled
from extract_project.schema.wanted import UNBOUNDED
from extract_project.wording import some

_INTEGERS, _TIMESTAMPS, _NUMERIC = "integers: decimal", "timestamps: ns", "numeric: text"


@dataclass(frozen=True)
class Narrowed:
    """Columns of one type. Values that do not fit the file's type are refused."""

    columns: tuple[str, ...]
    warehouse: str
    """Their type in the warehouse."""
    file: str
    keys: tuple[str, ...]
    """The header keys that keep every value."""

    def __str__(self) -> str:
        kept = " and ".join(f"'{key}'" for key in self.keys)
        keep = "keeps" if len(self.keys) == 1 else "keep"
        return (
            f"{some(self.columns)}: {self.warehouse} in the warehouse, {self.file} in the file; "
            f"a value that does not fit is refused; {kept} {keep} it"
        )


def narrowed(widest: pa.Schema, schema: pa.Schema) -> list[Narrowed]:
    """Compare the file's schema with `widest`, which keeps every value; group columns with equal
    types.
    """
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for wide, field in zip(widest, schema, strict=True):
        unbounded = pa.types.is_string(wide.type) and field.type == UNBOUNDED
        keys = (_NUMERIC,) if unbounded else keeping_keys(wide.type, field.type)
        if keys:
            warehouse = "numeric without a precision" if unbounded else spelled(wide.type)
            found.setdefault((warehouse, spelled(field.type), keys), []).append(field.name)
    return [Narrowed(tuple(names), *alike) for alike, names in found.items()]


def keeping_keys(wide: pa.DataType, kind: pa.DataType) -> tuple[str, ...]:
    """The header keys that change the file's type from `kind` to `wide`; empty if none does."""
    types = pa.types
    if types.is_decimal(wide) and not wide.scale and types.is_int64(kind):
        return (_INTEGERS,)
    if types.is_timestamp(wide) and types.is_timestamp(kind) and wide.tz == kind.tz:
        return (_TIMESTAMPS,) if (wide.unit, kind.unit) == ("ns", "us") else ()
    if types.is_time(wide) and types.is_time(kind):
        return (_TIMESTAMPS,) if (wide.unit, kind.unit) == ("ns", "us") else ()
    if not types.is_nested(wide) or wide.id != kind.id or wide.num_fields != kind.num_fields:
        return ()
    pairs = [(wide.field(i).type, kind.field(i).type) for i in range(wide.num_fields)]
    found = {key for pair in pairs for key in keeping_keys(*pair)}
    return tuple(sorted(found))
