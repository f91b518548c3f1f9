"""`copy into 's3://…' from (select …)`: write a query's rows as Parquet to the S3 of the tests.

From https://docs.snowflake.com/en/sql-reference/sql/copy-into-location: names with the query's id,
no file for no rows, a list of files with bytes and rows. A column has the type of its expression.
What the real one makes of timestamps in Parquet is not documented; here they are microseconds
without a zone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

COPY = re.compile(
    r"copy into '(?P<uri>s3://[^']+)' from \((?P<query>select .*)\) "
    r"storage_integration = (?P<integration>\w+) "
    r"(encryption = \(type = 'AWS_SSE_KMS' kms_key_id = '(?P<key>[^']+)'\) )?"
    r"file_format = \(type = parquet compression = snappy\) header = true "
    r"include_query_id = true detailed_output = true max_file_size = \d+",
    re.DOTALL,
)
File = tuple[str, int, int]
"""Name, bytes and rows."""


@dataclass
class Unloading:
    """How files are written; tests make it lie."""

    file_rows: int = 50_000
    integrations: set[str] = field(default_factory=lambda: {"EXTRACTS"})
    listed: Callable[[str, str, list[File]], Sequence[File]] | None = None
    """Answers the list of files, given bucket, folder and the true list. It is called when they are
    written, so it may spoil them too.
    """
    typed: Callable[[pa.Table], pa.Table] | None = None
    """Changes the rows that are written."""

    def write(self, found: re.Match[str], query_id: str, batches: Sequence[pa.Table]) -> list[File]:
        """Write files of `file_rows` rows."""
        bucket, _, folder = found["uri"].removeprefix("s3://").partition("/")
        rows = pa.concat_tables(batches)
        files = []
        for number, start in enumerate(range(0, rows.num_rows, self.file_rows)):
            piece = rows.slice(start, self.file_rows)
            piece = self.typed(piece) if self.typed else piece
            body = io.BytesIO()
            pq.write_table(piece, body, compression="snappy", store_schema=False)
            name = f"data_{query_id}_0_{number}_0.snappy.parquet"
            self._put(bucket, f"{folder}{name}", body.getvalue(), found["key"])
            files.append((name, len(body.getvalue()), piece.num_rows))
        return list(self.listed(bucket, folder, files)) if self.listed else files

    @staticmethod
    def _put(bucket: str, key: str, body: bytes, kms_key_id: str | None) -> None:
        encrypted: Mapping[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        )
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **encrypted)
