"""The stores of one installation: everything that is read and written goes through here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.store.folder import Folder, Location
from extract_project.store.s3.client import connect
from extract_project.store.s3.store import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Stores:
    """Opens locations; all of them share one client and its connections."""

    client: S3Client

    @classmethod
    def connected(cls, kms_key_id: str | None = None) -> Stores:
        """Whatever is written is encrypted with the key, if given."""
        return cls(connect(kms_key_id))

    def folder(self, location: Location) -> Folder:
        return Folder.of(self.bucket(location.bucket), location.prefix)

    def bucket(self, name: str) -> S3Store:
        return S3Store(self.client, name)


@dataclass(frozen=True)
class Folders:
    """The folders of a deployment."""

    stores: Stores
    manifest: Folder
    data: Folder
    state: Folder
