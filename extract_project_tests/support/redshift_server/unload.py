"""`unload (…) to 's3://…'`: write a query's rows as Parquet to the S3 of the tests.

From https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html and its page of examples: names of
files, the verbose manifest, no `limit` in the outer select, a destination that must be empty, no
file and no manifest for no rows, VARBYTE and SUPER (its page says otherwise, as JSON) not to
Parquet, a TIMESTAMPTZ without its zone, `kms_key_id` with `encrypted`. That a role which is not the
cluster's is refused with XX000 is an assumption.

A file has `file_rows` rows, where Redshift has a file for each slice. In what types Redshift writes
integers, times and timestamps is not documented; here they are those of their columns, in
microseconds.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

UNLOAD = re.compile(
    r"unload \('(?P<query>(?:[^']|'')*)'\) to 's3://(?P<bucket>[^/']+)/(?P<prefix>[^']*)' "
    r"iam_role (?:'(?P<role>[^']+)'|(?P<default>default)) "
    r"(?:kms_key_id '(?P<key>[^']+)' encrypted )?"
    r"format as parquet manifest verbose maxfilesize \d+ mb(?: region '(?P<region>[^']+)')?",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\blimit \d+\s*$", re.IGNORECASE)
ROLE = "arn:aws:iam::123456789012:role/unloads"
Entry = dict[str, Any]
"""Of a manifest: `url`, and `meta` with `content_length` and `record_count`."""


class UnloadError(Exception):
    """What Redshift refuses, with the code of an internal error."""


@dataclass(frozen=True)
class Sent:
    """A column of the rows: its name, its type (a number of PostgreSQL's) and its modifier."""

    name: str
    type: int
    modifier: int


@dataclass
class Unloading:
    """How files are written; tests make it fail and lie."""

    file_rows: int = 100
    roles: set[str] = field(default_factory=lambda: {ROLE, "default"})
    fails_after: int | None = None
    """Fail after so many files, and leave them there."""
    typed: Callable[[pa.Table], pa.Table] | None = None
    """Changes the rows that are written."""
    listed: Callable[[str, str, list[Entry]], Sequence[Entry]] | None = None
    """Gives the entries of the manifest, from bucket, folder and the true ones. It is called when
    the files are written, so it may spoil them too."""
    done: Callable[[str, str], None] | None = None
    """Called with bucket and folder when the manifest is there too."""

    def require(self, found: re.Match[str]) -> str:
        """The query; raises UnloadError for what Redshift would not begin."""
        if _LIMIT.search(found["query"]):
            raise UnloadError("Limit clause is not supported")
        if (found["role"] or "default") not in self.roles:
            raise UnloadError(f"Not authorized to assume IAM Role {found['role']}")
        there = boto3.client("s3").list_objects_v2(
            Bucket=found["bucket"], Prefix=found["prefix"], MaxKeys=1
        )
        if there.get("KeyCount"):
            raise UnloadError("Specified unload destination on S3 is not empty")
        return found["query"].replace("''", "'")

    def write(
        self, found: re.Match[str], columns: Sequence[Sent], rows: Sequence[Sequence[bytes | None]]
    ) -> None:
        """Write files of `file_rows` rows, and then the manifest; neither for no rows."""
        whole = _table(columns, rows)
        bucket, prefix, entries = found["bucket"], found["prefix"], list[Entry]()
        for number, start in enumerate(range(0, len(rows), self.file_rows)):
            if number == self.fails_after:
                raise UnloadError("S3ServiceException:SlowDown,Status 503")
            piece = whole.slice(start, self.file_rows)
            piece = self.typed(piece) if self.typed else piece
            body = io.BytesIO()
            pq.write_table(piece, body, compression="snappy", store_schema=False)
            name = f"{number:04}_part_00.parquet"
            _put(bucket, f"{prefix}{name}", body.getvalue(), found["key"])
            meta = {"content_length": len(body.getvalue()), "record_count": piece.num_rows}
            entries.append({"url": f"s3://{bucket}/{prefix}{name}", "meta": meta})
        if not entries:
            return
        listed = list(self.listed(bucket, prefix, entries)) if self.listed else entries
        total = {
            each: sum(entry["meta"][each] for entry in listed)
            for each in ("content_length", "record_count")
        }
        elements = [{"name": each.name, "type": {"base": "…"}} for each in columns]
        manifest = {
            "entries": listed,
            "schema": {"elements": elements},
            "meta": total,
            "author": {"name": "Amazon Redshift", "version": "1.0.0"},
        }
        _put(bucket, f"{prefix}manifest", json.dumps(manifest).encode(), found["key"])
        if self.done:
            self.done(bucket, prefix)


_NUMERIC = 1700
_KINDS: dict[int, tuple[pa.DataType, Callable[[str], Any]]] = {
    16: (pa.bool_(), lambda text: text == "t"),
    20: (pa.int64(), int),
    21: (pa.int16(), int),
    23: (pa.int32(), int),
    701: (pa.float64(), float),
    1042: (pa.string(), str),
    1043: (pa.string(), str),
    1082: (pa.date32(), date.fromisoformat),
    1083: (pa.time64("us"), time.fromisoformat),
    1114: (pa.timestamp("us"), datetime.fromisoformat),
    1184: (pa.timestamp("us"), lambda text: datetime.fromisoformat(text).replace(tzinfo=None)),
}


def _table(columns: Sequence[Sent], rows: Sequence[Sequence[bytes | None]]) -> pa.Table:
    """The rows as they are written."""
    made = {}
    for number, column in enumerate(columns):
        kind, read = _kind(column)
        values = (row[number] for row in rows)
        made[column.name] = pa.array(
            [None if value is None else read(value.decode()) for value in values], kind
        )
    return pa.table(made)


def _kind(column: Sent) -> tuple[pa.DataType, Callable[[str], Any]]:
    if column.type == _NUMERIC:
        digits = column.modifier - 4
        return pa.decimal128(digits >> 16, digits & 0xFFFF), Decimal
    if column.type not in _KINDS:
        raise UnloadError(f"UNLOAD to Parquet is not supported for column {column.name}")
    return _KINDS[column.type]


def _put(bucket: str, key: str, body: bytes, kms_key_id: str | None) -> None:
    encrypted: Any = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
    )
    try:
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **encrypted)
    except ClientError as error:
        raise UnloadError(f"S3ServiceException:{error}") from error
