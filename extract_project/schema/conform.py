"""Batches of a warehouse in the schema of the file: each value as it is, or an error.

An error names the column, the row of the result and the value, and what keeps it.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, exact_cast
from extract_project.schema.extensions import extension
from extract_project.schema.refusal import refused

Names = Collection[str]


def conform(
    batch: pa.RecordBatch, schema: pa.Schema, rows_before: int = 0, declared: Names = ()
) -> pa.RecordBatch:
    """The same rows in the file's schema; raises TypeMappingError.

    `rows_before` came in earlier batches; `declared` are the columns whose type `columns` declares.
    """
    if batch.schema.equals(schema):
        return batch
    columns = []
    for column, target in zip(batch.columns, schema, strict=True):
        try:
            columns.append(_exactly(column, target.type))
        except Misfit as found:
            inside = pa.types.is_nested(column.type)
            misfit = _of_row(column, target.type) if inside else found
            is_declared = target.name in declared
            raise refused(target.name, rows_before, misfit, is_declared, inside) from None
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise TypeMappingError(f"column {target.name!r} as {target.type}: {error}") from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _exactly(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Raises Misfit; within nested values its index counts inner ones."""
    kind = column.type
    if kind.equals(target):
        return column
    if isinstance(column, pa.ExtensionArray):
        return extension(kind).convert(column.storage, target)
    if pa.types.is_dictionary(kind):
        return _exactly(column.dictionary_decode(), target)
    if pa.types.is_nested(kind):
        return _rebuilt(column, target)
    if _has_values_that_may_not_fit(kind):
        return exact_cast(column, target)
    return pc.cast(column, target, safe=True)


def _has_values_that_may_not_fit(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_decimal(kind)
        or types.is_integer(kind)
        or types.is_timestamp(kind)
        or types.is_time(kind)
    )


def _rebuilt(column: pa.Array, target: pa.DataType) -> pa.Array:
    """A nested array with its parts cast one by one: Arrow casts no extension inside."""
    nulls = column.is_null()
    if pa.types.is_struct(target):
        parts = zip(column.flatten(), target.fields, strict=True)
        children = [_exactly(part, field.type) for part, field in parts]
        return pa.StructArray.from_arrays(children, fields=list(target.fields), mask=nulls)
    if pa.types.is_map(target):
        start, stop = (column.offsets[index].as_py() for index in (0, len(column)))
        offsets = pc.subtract(column.offsets, start)
        keys = _exactly(column.keys.slice(start, stop - start), target.key_type)
        items = _exactly(column.items.slice(start, stop - start), target.item_type)
        return pa.MapArray.from_arrays(offsets, keys, items, type=target, mask=nulls)
    # The elements of any kind of list, one after the other, without those that NULL hides.
    elements = _exactly(column.flatten(), target.value_type)
    lengths = pc.list_value_length(column).fill_null(0).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    return pa.ListArray.from_arrays(offsets, elements, type=target, mask=nulls)


def _of_row(column: pa.Array, target: pa.DataType) -> Misfit:
    """The first value within a nested column that does not fit, under the index of its row."""
    fits, fails = 0, len(column)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        try:
            _exactly(column.slice(fits, middle - fits), target)
            fits = middle
        except Misfit:
            fails = middle
    try:
        _exactly(column.slice(fits, 1), target)
    except Misfit as inner:
        return Misfit(fits, inner.value, inner.target)
    raise AssertionError("a value did not fit, and now it does")
