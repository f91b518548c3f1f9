"""Values as text, column by column, exact: shared by csv and jsonl.

Decimals are plain (never `1E-7`), times are ISO 8601, binary is base64 (RFC 4648).
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.publish.formats.encoder import Sink
from extract_project.publish.formats.options import FileFormat


def plain_text(values: pa.Array) -> pa.StringArray:
    """Each value as text, NULL as NULL; nested values as JSON."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_decimal(kind):
        return _plain_decimals(values)
    if pa.types.is_timestamp(kind):
        return pc.utf8_replace_slice(values.cast(pa.string()), 10, 11, "T")
    if pa.types.is_binary(kind):
        encoded = [None if v is None else base64.b64encode(v).decode() for v in values.to_pylist()]
        return pa.array(encoded, pa.string())
    if pa.types.is_nested(kind):
        documents = [None if v is None else to_json(v) for v in _pylist(values)]
        return pa.array(documents, pa.string())
    return values.cast(pa.string())


def to_json(value: Any) -> str:
    """One nested value as compact JSON with exact numbers."""
    if isinstance(value, dict):
        inner = ",".join(
            f"{json.dumps(str(k), ensure_ascii=False)}:{to_json(v)}" for k, v in value.items()
        )
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(to_json, value))}]"
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return json.dumps(value) if value - value == 0 else json.dumps(str(value))
    scalar = plain_text(pa.array([value]))[0].as_py()
    if pa.types.is_decimal(pa.scalar(value).type):
        return str(scalar)
    return json.dumps(scalar, ensure_ascii=False)


def _pylist(values: pa.Array) -> list[Any]:
    """Python values, with maps as dicts rather than pairs."""
    return list(values.to_pylist(maps_as_pydicts="strict"))


def _plain_decimals(values: pa.Array) -> pa.StringArray:
    text = values.cast(pa.string())
    scientific = pc.match_substring(text, "E")
    if not pc.any(scientific).as_py():
        return text
    scale = values.type.scale
    plain = [None if v is None else f"{v:.{max(0, scale)}f}" for v in values.to_pylist()]
    return pa.array(plain, pa.string())


class TextStream:
    """Compresses text into the sink; equal text gives equal bytes (no file name, no time)."""

    def __init__(self, sink: Sink, file_format: FileFormat) -> None:
        self._sink = sink
        self._gzip = None
        self._zstd = None
        if file_format.codec == "gzip":
            gzip_container = 31
            self._gzip = zlib.compressobj(file_format.level or 1, wbits=gzip_container)
        elif file_format.codec == "zstd":
            self._zstd = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd")

    def write(self, text: pa.StringArray) -> None:
        """Write the values of a string array without NULLs, one after the other."""
        data = _bytes_of(text)
        if self._gzip:
            self._sink.write(self._gzip.compress(data))
        elif self._zstd:
            self._zstd.write(data)
        else:
            self._sink.write(data)

    def close(self) -> None:
        if self._gzip:
            self._sink.write(self._gzip.flush())
        elif self._zstd:
            self._zstd.close()


def _bytes_of(text: pa.StringArray) -> memoryview:
    """The characters of a string array as they lie in memory, in one piece."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return memoryview(b"")
    ends = pa.Array.from_buffers(pa.int32(), len(text) + 1, [None, offsets], offset=text.offset)
    return memoryview(data)[ends[0].as_py() : ends[len(text)].as_py()]
