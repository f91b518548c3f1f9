"""Cast a warehouse's batches to the schema of the file: each value exactly, or an error.

The error names the column, the row of the result and the value, and says how to keep it.
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
    """Cast a batch to the file's schema; raises TypeMappingError.

    `rows_before`: the number of rows in earlier batches. `declared`: the columns whose type the
    header declares.
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
    """Cast one column. Raises Misfit; in a nested column its index counts inner values."""
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
    """Cast the parts of a nested array one by one, since Arrow does not cast nested extension
    types.
    """
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
    # The elements of any kind of list in one array, without those of lists that are NULL.
    elements = _exactly(column.flatten(), target.value_type)
    lengths = pc.list_value_length(column).fill_null(0).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    return pa.ListArray.from_arrays(offsets, elements, type=target, mask=nulls)


def _of_row(column: pa.Array, target: pa.DataType) -> Misfit:
    """The first value in a nested column that does not fit, with the index of its row."""
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
