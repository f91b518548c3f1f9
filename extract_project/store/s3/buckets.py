"""Opens buckets of S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.store.s3.client import connect
from extract_project.store.s3.store import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class S3Buckets:
    """Opens buckets that share one client and its connections."""

    client: S3Client
    kms_key_id: str | None = None
    """The key with which the client encrypts what it writes."""

    @classmethod
    def connected(cls, kms_key_id: str | None) -> S3Buckets:
        return cls(connect(kms_key_id), kms_key_id)

    def bucket(self, name: str) -> S3Store:
        return S3Store(self.client, name, kms_key_id=self.kms_key_id)
