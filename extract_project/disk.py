"""Turn a full local disk into DiskFull. Checks and comparisons keep temporary files there."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

from extract_project.errors import DiskFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def local_disk(directory: Path) -> Iterator[None]:
    """Raise DiskFull when a file operation inside the block finds no space left."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _disk_full(directory, error) from error


@contextmanager
def spilling(directory: Path) -> Iterator[None]:
    """The same for queries of an embedded DuckDB that reads and writes only local files."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        raise _disk_full(directory, error) from error


def _disk_full(directory: Path, error: Exception) -> DiskFull:
    return DiskFull(
        f"the local disk is full at {directory}, where checks and comparisons keep temporary "
        f"files; {disk_usage(directory).free >> 20:,} MiB are free: {error}"
    )
