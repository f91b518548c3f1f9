"""Traverse nested Arrow values: lists, structs and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def parts(values: pa.Array) -> Iterator[pa.Array]:
    """The array itself, and all arrays nested in it."""
    import pyarrow as pa

    kind = values.type
    yield values
    if isinstance(values, pa.ExtensionArray):
        yield from parts(values.storage)
    elif pa.types.is_struct(kind):
        for child in values.flatten():
            yield from parts(child)
    elif pa.types.is_map(kind):
        start, stop = values.offsets[0].as_py(), values.offsets[-1].as_py()
        yield from parts(values.keys.slice(start, stop - start))
        yield from parts(values.items.slice(start, stop - start))
    elif pa.types.is_nested(kind) and not pa.types.is_union(kind):
        yield from parts(values.flatten())


def first_index(values: pa.Array, holds: Callable[[pa.Array], bool]) -> int | None:
    """The index of the first value that has a property, itself or in a nested part; None if none
    has.

    `holds` says whether any value of an array has the property.
    """

    def found(start: int, stop: int) -> bool:
        return any(holds(part) for part in parts(values.slice(start, stop - start)) if len(part))

    start, stop = 0, len(values)
    if not found(start, stop):
        return None
    while stop - start > 1:
        middle = (start + stop) // 2
        if found(start, middle):
            stop = middle
        else:
            start = middle
    return start
