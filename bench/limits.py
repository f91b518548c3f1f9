"""The physical limits: reading alone, encoding alone, uploading alone.

Run as a process of its own, `python -m bench.limits SOURCE`; prints the seconds of each as JSON.
No pipeline can be faster than the slowest of the three.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa

from extract_project.formats.registry import chosen_format
from extract_project.pipeline.rowgroups import row_groups
from extract_project.settings import load_settings
from extract_project.warehouses.protocol import Label, Query

QUERY = "select * from shop.lineitem"
_PARQUET = chosen_format("parquet", None)
_SAMPLE_GROUPS = 16


class _Kept:
    """A sink that keeps what is written, for the upload."""

    closed = False

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        self.blocks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Do nothing."""


def main(source: str) -> None:
    pa.set_memory_pool(pa.system_memory_pool())
    reading, groups, schema, share = _read(source)
    kept = _Kept()
    begun = time.monotonic()
    encoder = _PARQUET.encoder(kept, schema)
    for group in groups:
        encoder.write(group)
    encoder.close()
    encoding = (time.monotonic() - begun) / share
    sys.stdout.write(
        json.dumps({"read": reading, "encode": encoding, "upload": _upload(kept.blocks) / share})
    )


def _read(source: str) -> tuple[float, list[pa.Table], pa.Schema, float]:
    """Seconds to read all rows, some row groups for the other two measurements, and their share
    of all rows.
    """
    warehouse = load_settings().warehouses[source]
    with warehouse.connect(Label("bench", "v", "r"), timedelta(hours=1)) as session:
        begun = time.monotonic()
        result = session.execute(Query(QUERY))
        rows = sum(batch.num_rows for batch in result.batches())
        seconds = time.monotonic() - begun
    with warehouse.connect(Label("bench", "v", "r"), timedelta(hours=1)) as session:
        result = session.execute(Query(QUERY))
        groups = list(_first(row_groups(result.batches(), result.schema)))
        session.cancel()
    return seconds, groups, result.schema, sum(group.num_rows for group in groups) / rows


def _first(groups: Iterator[pa.Table]) -> Iterator[pa.Table]:
    for _, group in zip(range(_SAMPLE_GROUPS), groups, strict=False):
        yield group


def _upload(blocks: list[bytes]) -> float:
    begun = time.monotonic()
    store = load_settings().connect().data.store
    upload = store.stage("limits/upload.parquet", _PARQUET.content_type)
    for block in blocks:
        upload.write(block)
    upload.seal()
    upload.publish(None)
    return time.monotonic() - begun


if __name__ == "__main__":
    main(sys.argv[1])
