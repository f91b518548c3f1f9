"""What the extracts of one code location share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.manifest.extract import Extract
from extract_project.publish.upload import Target
from extract_project.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class CodeLocation:
    """The settings, the store, and the snapshot that the definitions were made of."""

    settings: Settings
    connect: Callable[[], S3Client]
    snapshot_id: str

    def target(self, extract: Extract, partition: str | None = None) -> Target:
        """Where an extract, or one of its partitions, is published."""
        data = self.settings.data
        key = data.key(extract.published_path(partition))
        return Target(data.bucket, key)
