"""An embedded installation: one directory with all its data, and its settings."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.errors import EmbeddedError

MANIFEST_BUCKET, DATA_BUCKET = "acme-sql", "acme-extracts"


@dataclass(frozen=True)
class EmbeddedSite:
    """An installation whose parts all run on this machine."""

    directory: Path
    server: S3Server

    @property
    def warehouse(self) -> Path:
        return (self.directory / "warehouse.duckdb").resolve()

    @property
    def settings(self) -> dict[str, str]:
        """The environment that `settings.py` and the AWS SDK read."""
        return {
            "EXTRACT_MANIFEST": f"s3://{MANIFEST_BUCKET}/sql",
            "EXTRACT_DATA": f"s3://{DATA_BUCKET}/extracts",
            "EXTRACT_WAREHOUSES__SHOP__TYPE": "duckdb",
            "EXTRACT_WAREHOUSES__SHOP__PATH": str(self.warehouse),
            **self.server.environment,
        }

    def process_environment(self) -> dict[str, str]:
        """The settings, together with what processes need in any case (PATH, HOME, …)."""
        return {**os.environ, **self.settings}


@contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """Lock the directory against a second installation while this process lives."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(
                f"{directory} is in use by another 'extract up' or 'extract demo': "
                f"stop that one first, or choose another --directory"
            ) from None
        yield


@contextmanager
def embedded_site(directory: Path, port: int | None = None) -> Iterator[EmbeddedSite]:
    """Run the S3 server of an installation, and create both buckets.

    Raises EmbeddedError when the directory is in use, or the server does not start.
    """
    with _owned(directory), s3_server(directory / "s3", port) as server:
        for bucket in (MANIFEST_BUCKET, DATA_BUCKET):
            server.make_bucket(bucket, can_hold=True)
        yield EmbeddedSite(directory, server)
