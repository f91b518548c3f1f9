"""The messages of the Storage Read API, as far as they are used here.

Their fields and numbers are those of `google/cloud/bigquery/storage/v1/` (storage.proto,
stream.proto, arrow.proto) in github.com/googleapis/googleapis. Google's own client generates them,
with all others; importing it takes half a second and 50 MB in each run. Enums are their numbers,
which is the same on the wire; fields that are not named here are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "google.cloud.bigquery.storage.v1"
_TEXT, _BYTES = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES
_INT64 = FieldDescriptorProto.TYPE_INT64
_FIELDS: Mapping[str, Mapping[str, tuple[int, int | str]]] = {
    "ArrowSchema": {"serialized_schema": (1, _BYTES)},
    "ArrowRecordBatch": {"serialized_record_batch": (1, _BYTES), "row_count": (2, _INT64)},
    "ArrowSerializationOptions": {"buffer_compression": (2, _INT64)},
    "TableReadOptions": {"arrow_serialization_options": (3, "ArrowSerializationOptions")},
    "ReadStream": {"name": (1, _TEXT)},
    "ReadSession": {
        "name": (1, _TEXT),
        "data_format": (3, _INT64),
        "arrow_schema": (5, "ArrowSchema"),
        "table": (6, _TEXT),
        "read_options": (8, "TableReadOptions"),
        "streams": (10, "ReadStream*"),
    },
    "CreateReadSessionRequest": {
        "parent": (1, _TEXT),
        "read_session": (2, "ReadSession"),
        "max_stream_count": (3, _INT64),
    },
    "ReadRowsRequest": {"read_stream": (1, _TEXT), "offset": (2, _INT64)},
    "ReadRowsResponse": {"arrow_record_batch": (4, "ArrowRecordBatch"), "row_count": (6, _INT64)},
}
"""Each field's number, and its type or its message; `*` if there may be several."""


@cache
def message(name: str) -> Any:
    """The class of a message."""
    return GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> DescriptorPool:
    """A pool of our own: Google's client, if installed, has messages of the same names in the
    default one."""
    file = FileDescriptorProto(name="storage.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add(described.field.add(name=field, number=number), kind)
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def _add(field: FieldDescriptorProto, kind: int | str) -> None:
    field.label = FieldDescriptorProto.LABEL_OPTIONAL
    if isinstance(kind, int):
        field.type = kind
        return
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{kind.rstrip('*')}"
    if kind.endswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
