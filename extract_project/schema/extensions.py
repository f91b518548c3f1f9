"""Arrow extension types that warehouses send, and the types that files have for them.

Each has a plain Arrow type, and a conversion of its storage array that is exact or raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, int64_of

_LARGEST = 10**38 - 1
_ZERO = pa.scalar(bytes(16), pa.binary(16))


@dataclass(frozen=True)
class Extension:
    """The mapping of an extension type to a file's type."""

    kept_as: pa.DataType
    """The plain Arrow type that stands for it; `file_type` derives the file's type from that."""
    convert: Callable[[pa.Array, pa.DataType], pa.Array]
    """From the storage to the file's type; raises Misfit."""


def extension(arrow: pa.BaseExtensionType) -> Extension:
    """The mapping of an extension type; raises TypeMappingError if there is none."""
    name = arrow.extension_name
    known = _KNOWN.get(str(arrow.type_name) if name == "arrow.opaque" else name)
    if known is None:
        shown = f"{arrow.vendor_name} {arrow.type_name}" if name == "arrow.opaque" else name
        raise TypeMappingError(
            f"{shown} has no exact type in files: cast it in the SQL, e.g. to text"
        )
    return known


def _integers(storage: pa.Array, target: pa.DataType, unsigned: bool = False) -> pa.Array:
    """Convert 128-bit integers, whose layout in memory is that of decimals; raises Misfit.

    A decimal has 38 digits. 128 bits hold slightly larger numbers, which are errors. Unsigned
    integers beyond the signed range look negative as decimals.
    """
    if pa.types.is_int64(target):
        return int64_of(storage, unsigned=unsigned)
    decimals = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(storage), storage.buffers(), offset=storage.offset
    )
    extremes = pc.min_max(decimals)
    lowest, highest = extremes["min"].as_py(), extremes["max"].as_py()
    if lowest is not None and (lowest < (0 if unsigned else -_LARGEST) or highest > _LARGEST):
        values = [
            int.from_bytes(v, "little", signed=not unsigned)
            for v in storage.fill_null(_ZERO).to_pylist()
        ]
        index = next(i for i, value in enumerate(values) if abs(value) > _LARGEST)
        raise Misfit(index, values[index], target)
    return decimals


def _signed(storage: pa.Array, target: pa.DataType) -> pa.Array:
    return _integers(storage, target)


def _unsigned(storage: pa.Array, target: pa.DataType) -> pa.Array:
    return _integers(storage, target, unsigned=True)


def _uuid_text(storage: pa.Array, _: pa.DataType) -> pa.StringArray:
    """16 bytes to `8-4-4-4-12` hexadecimal digits, all values at once."""
    data = storage.buffers()[1]
    size = 16
    raw = np.frombuffer(data, np.uint8)[storage.offset * size :][: len(storage) * size]
    digits = np.frombuffer(raw.tobytes().hex().encode(), np.uint8).reshape(-1, 32)
    text = np.full((len(storage), 36), ord("-"), np.uint8)
    start = 0
    for position, width in ((0, 8), (9, 4), (14, 4), (19, 4), (24, 12)):
        text[:, position : position + width] = digits[:, start : start + width]
        start += width
    ends = pa.py_buffer(np.arange(0, 36 * (len(storage) + 1), 36, dtype=np.int32))
    values = pa.Array.from_buffers(pa.string(), len(storage), [None, ends, pa.py_buffer(text)])
    return pc.if_else(storage.is_valid(), values, pa.scalar(None, pa.string()))


def _itself(storage: pa.Array, _: pa.DataType) -> pa.Array:
    return storage


def _booleans(storage: pa.Array, _: pa.DataType) -> pa.Array:
    return storage.cast(pa.bool_())


_KNOWN = {
    "arrow.uuid": Extension(pa.string(), _uuid_text),
    "arrow.json": Extension(pa.string(), _itself),
    "arrow.bool8": Extension(pa.bool_(), _booleans),
    "hugeint": Extension(pa.decimal128(38, 0), _signed),
    "uhugeint": Extension(pa.decimal128(38, 0), _unsigned),
}
