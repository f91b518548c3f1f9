"""Arrow values inside of values: what stands at the bottom of lists, structs and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def leaves(values: pa.Array) -> Iterator[pa.Array]:
    """The arrays of plain values that an array consists of: itself, unless it is nested."""
    import pyarrow as pa

    kind = values.type
    if isinstance(values, pa.ExtensionArray):
        yield from leaves(values.storage)
    elif pa.types.is_struct(kind):
        for child in values.flatten():
            yield from leaves(child)
    elif pa.types.is_map(kind):
        start, stop = values.offsets[0].as_py(), values.offsets[-1].as_py()
        yield from leaves(values.keys.slice(start, stop - start))
        yield from leaves(values.items.slice(start, stop - start))
    elif pa.types.is_nested(kind) and not pa.types.is_union(kind):
        yield from leaves(values.flatten())
    else:
        yield values


def first_index(values: pa.Array, holds: Callable[[pa.Array], bool]) -> int | None:
    """The first value of which a leaf has a property; `holds` says whether any of an array has."""

    def found(start: int, stop: int) -> bool:
        return any(holds(leaf) for leaf in leaves(values.slice(start, stop - start)) if len(leaf))

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
