"""Arrow extension types that warehouses send, and what files keep of them.

Each is a file type and a conversion of its storage array that loses nothing or raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError

_LARGEST = 10**38 - 1


@dataclass(frozen=True)
class Extension:
    """How a file keeps an extension type."""

    file_type: pa.DataType
    convert: Callable[[pa.Array], pa.Array]


def extension(arrow: pa.BaseExtensionType) -> Extension:
    """The mapping of an extension type; raises TypeMappingError where files have none."""
    name = arrow.extension_name
    known = _KNOWN.get(str(arrow.type_name) if name == "arrow.opaque" else name)
    if known is None:
        shown = f"{arrow.vendor_name} {arrow.type_name}" if name == "arrow.opaque" else name
        raise TypeMappingError(
            f"{shown} has no exact type in files: cast it in the SQL, e.g. to text"
        )
    return known


def _integers(storage: pa.Array) -> pa.Array:
    """128-bit integers, which lie in memory as decimals do.

    Decimals have 38 digits, and 128 bits hold a little more: what is beyond is an error. Unsigned
    integers beyond the signed range look negative, so for them the sign is looked at first.
    """
    decimals = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(storage), storage.buffers(), offset=storage.offset
    )
    extremes = pc.min_max(decimals)
    for extreme in (extremes["min"].as_py(), extremes["max"].as_py()):
        if extreme is not None and abs(int(extreme)) > _LARGEST:
            raise pa.ArrowInvalid(f"the integer {extreme} has more than 38 digits")
    return decimals


def _unsigned_integers(storage: pa.Array) -> pa.Array:
    decimals = _integers(storage)
    lowest = pc.min_max(decimals)["min"].as_py()
    if lowest is not None and lowest < 0:
        raise pa.ArrowInvalid(f"the integer {int(lowest) + 2**128} has more than 38 digits")
    return decimals


def _uuid_text(storage: pa.Array) -> pa.StringArray:
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


def _itself(storage: pa.Array) -> pa.Array:
    return storage


def _booleans(storage: pa.Array) -> pa.Array:
    return storage.cast(pa.bool_())


_KNOWN = {
    "arrow.uuid": Extension(pa.string(), _uuid_text),
    "arrow.json": Extension(pa.string(), _itself),
    "arrow.bool8": Extension(pa.bool_(), _booleans),
    "hugeint": Extension(pa.decimal128(38, 0), _integers),
    "uhugeint": Extension(pa.decimal128(38, 0), _unsigned_integers),
}
