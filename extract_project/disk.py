"""What is said when the local disk is full, where checks and comparisons put what they need."""

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
    """Raise DiskFull where what is done in here finds no more room for files."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _disk_full(directory, error) from error


@contextmanager
def spilling(directory: Path) -> Iterator[None]:
    """The same for queries of an embedded DuckDB that reads and writes nothing but local files."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        raise _disk_full(directory, error) from error


def _disk_full(directory: Path, error: Exception) -> DiskFull:
    return DiskFull(
        f"the local disk took no more at {directory}, where checks and comparisons put what they "
        f"read again; {disk_usage(directory).free >> 20:,} MiB are free: {error}"
    )
