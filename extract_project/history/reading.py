"""Read a published version, with the types it was written with."""

from __future__ import annotations

import io
import json
from itertools import chain
from typing import Any, BinaryIO

import pyarrow as pa

from extract_project.errors import NotPublished
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import FORMATS, named_format
from extract_project.history.parts import Part, PartsManifest, is_manifest, load_manifest
from extract_project.history.receipt import read_schema
from extract_project.history.versions import Version
from extract_project.schema.annotations import required
from extract_project.store.protocol import Store

_BUFFER = 4 << 20


class ObjectFile(io.RawIOBase):
    """One object version as a seekable file; every read is a range request of that version."""

    def __init__(self, store: Store, key: str, version_id: str, size: int) -> None:
        self._store, self._key, self._version_id, self._size = store, key, version_id, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = self._store.read_range(self._key, self._version_id, self._position, end)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_version(version: Version, schema: pa.Schema | None = None) -> pa.RecordBatchReader:
    """A stream of the rows of one published version, of all its parts in order where it has any;
    see `read_rows`.
    """
    if not is_manifest(version.key):
        file = ObjectFile(version.store, version.key, version.version_id, version.size)
        return _open(file, version_format(version), schema)
    manifest = load_manifest(version)
    parts = (open_part(version.store, manifest, part) for part in manifest.parts)
    first = next(parts)
    batches = (batch for part in chain([first], parts) for batch in part)
    schema = _joint_schema(first.schema, read_schema(manifest))
    return pa.RecordBatchReader.from_batches(schema, (_joint(batch, schema) for batch in batches))


def _joint_schema(found: pa.Schema, exact: pa.Schema) -> pa.Schema:
    """The schema of parts: that of the manifest, which has the newest descriptions.

    A warehouse that writes the parts may say of each by itself whether a column is ever NULL.
    """
    if found.equals(exact):
        return exact
    joint = required(exact, ())
    return joint if required(found, ()).equals(joint) else found


def _joint(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the joint schema, if it differs only in columns that it says are never NULL.

    Any other difference is left to the reader, which refuses it: values must not be cast here.
    """
    if not required(batch.schema, ()).equals(schema):
        return batch
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def version_format(version: Version) -> FileFormat:
    """The format of an object version, from its metadata, else from its name.

    Raises NotPublished for an object that is not an extract.
    """
    told = version.provenance.get("format")
    options = version.provenance.get("format-options")
    found = key_format(f".{told}" if told else version.key)
    return found.with_options(json.loads(options) if options else None)


def parts_format(manifest: PartsManifest) -> FileFormat:
    """The format of all parts of a manifest."""
    return key_format(manifest.parts[0].key).with_options(manifest.format_options)


def key_format(key: str) -> FileFormat:
    """The format from the end of a key; raises NotPublished for a key that no extract has."""
    found = named_format(key)
    if found is None:
        name = key.rpartition("/")[2]
        raise NotPublished(f"{name} is no extract: expected one of {', '.join(FORMATS)}")
    return found


def open_part(store: Store, manifest: PartsManifest, part: Part) -> pa.RecordBatchReader:
    """A stream of the rows of one part, by the version that its manifest names."""
    file = ObjectFile(store, part.key, part.version_id, part.bytes)
    return _open(file, parts_format(manifest), read_schema(manifest))


def _open(
    file: ObjectFile, file_format: FileFormat, schema: pa.Schema | None
) -> pa.RecordBatchReader:
    return read_rows(io.BufferedReader(file, _BUFFER), file_format, schema)


def read_rows(
    file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None = None
) -> pa.RecordBatchReader:
    """A stream of the rows of a file, in bounded memory.

    `schema` comes from the receipt: text formats need it to restore exact types. Raises
    NotPublished if it is needed and missing.
    """
    if file_format.is_text and schema is None:
        raise NotPublished(
            f"this {file_format.name} file has no receipt, so the types of its text are unknown"
        )
    return file_format.format.read(file, file_format, schema)
