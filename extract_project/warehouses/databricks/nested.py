"""ARRAY, MAP and STRUCT as JSON text: what `to_json` shows of them, but for two things.

NULL in a STRUCT is written, which `to_json` leaves out: a reader finds each field in each row. And
a decimal has all its digits.
"""

from __future__ import annotations

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.warehouses.json_text import key, plain, quoted

_VARIANT = {("metadata", pa.binary()), ("value", pa.binary())}
"""Parquet's and Spark's own form of a VARIANT, whose bytes are not its JSON."""


def as_json(column: pa.Array, name: str, rows_before: int) -> pa.Array:
    """The column as text, one JSON value a row; raises TypeMappingError with the row."""
    texts: list[str | None] = []
    for index, each in enumerate(column):
        if not each.is_valid:
            texts.append(None)
            continue
        try:
            texts.append(_text(each))
        except (ValueError, OverflowError) as error:
            raise TypeMappingError(
                f"column {name!r} has a value in row {rows_before + index + 1:,} that cannot be "
                f"written as JSON ({error}): convert it in the SQL, to_json({name})"
            ) from error
    return pa.array(texts, pa.string())


def is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _text(scalar: pa.Scalar) -> str:
    """The JSON of an Arrow value; a STRUCT may have two fields of one name, so no dict is made."""
    kind = scalar.type
    if not scalar.is_valid:
        return "null"
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        raise ValueError("it has an INTERVAL")
    if pa.types.is_struct(kind):
        if {(each.name, each.type) for each in kind.fields} == _VARIANT:
            raise ValueError("it has a VARIANT")
        pairs = [f"{quoted(kind.field(i).name)}:{_text(scalar[i])}" for i in range(kind.num_fields)]
        return "{" + ",".join(pairs) + "}"
    if pa.types.is_map(kind):
        entries = scalar.values
        keys, items = entries.field(0), entries.field(1)
        pairs = [f"{key(_text(keys[i]))}:{_text(items[i])}" for i in range(len(entries))]
        return "{" + ",".join(pairs) + "}"
    if is_list(kind):
        return "[" + ",".join(_text(each) for each in scalar.values) + "]"
    return plain(scalar.as_py())
