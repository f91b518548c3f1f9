"""One directory that holds a whole embedded installation, and its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from extract_project.embedded.s3_server import S3Server, s3_server

MANIFEST_BUCKET, DATA_BUCKET = "acme-sql", "acme-extracts"


@dataclass(frozen=True)
class EmbeddedSite:
    """Settings of an installation whose parts all run on this machine."""

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
        """The settings, on top of what processes of this machine need (PATH, HOME, …)."""
        return {**os.environ, **self.settings}


@contextmanager
def embedded_site(directory: Path, port: int | None = None) -> Iterator[EmbeddedSite]:
    """Run the S3 server of an installation, with both buckets there."""
    with s3_server(directory / "s3", port) as server:
        for bucket in (MANIFEST_BUCKET, DATA_BUCKET):
            server.make_bucket(bucket)
        yield EmbeddedSite(directory, server)
