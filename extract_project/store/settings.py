"""The settings of locations: buckets, keys and roles."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_settings import NoDecode

from extract_project.store.destination import DATA
from extract_project.store.folder import Folder, Location
from extract_project.store.s3.buckets import S3Buckets
from extract_project.store.s3.client import connect
from extract_project.store.s3.role import Role
from extract_project.store.stores import Stores

_BUCKETS_OWN = "bucket"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_LONGEST_PREFIX = 512
"""In bytes: S3 allows keys of 1,024, and folder, name, partition and receipt follow the prefix."""


def _location(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    location = Location.parse(value)
    size = len(location.prefix.encode())
    if size > _LONGEST_PREFIX:
        raise ValueError(
            f"the prefix has {size:,} bytes: expected at most {_LONGEST_PREFIX}, since S3 allows "
            f"keys of 1,024 and file names follow the prefix; choose a shorter one"
        )
    return location


StoreLocation = Annotated[
    Location, NoDecode, BeforeValidator(_location), WithJsonSchema({"type": "string"})
]


class DestinationSettings(BaseModel):
    """A further place where extracts are published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: StoreLocation = Field(
        description="where extracts are published, as s3://bucket/prefix; the bucket must have "
        "versioning on"
    )
    kms_key_id: str | None = Field(
        None,
        description="KMS key (SSE-KMS) for what is published there; `bucket` leaves it to the "
        "bucket's own encryption. Default: EXTRACT_KMS_KEY_ID",
    )
    role_arn: str | None = Field(
        None,
        pattern=r"^arn:[^:]+:iam::[0-9]{12}:role/.+$",
        description="ARN of a role that runs assume for everything they do there, usually of the "
        "bucket's account. Default: the run's own role",
    )
    external_id: str | None = Field(
        None, description="External id that the trust policy of this role asks for"
    )

    def encryption_key(self, deployment: str | None) -> str | None:
        """The KMS key for what is written there; `deployment` is the key of the deployment."""
        return None if self.kms_key_id == _BUCKETS_OWN else self.kms_key_id or deployment

    def open(self, deployment: str | None) -> Folder:
        """The folder; `deployment` is as for `encryption_key`."""
        key = self.encryption_key(deployment)
        if self.role_arn is None:
            return Stores(kms_key_id=key).folder(self.url)
        role = Role(self.role_arn, self.external_id)
        return Stores({"s3": S3Buckets(connect(key, role), key)}).folder(self.url)


@dataclass(frozen=True)
class DestinationFault:
    """A fault in the settings of a destination, and the setting that has it."""

    path: tuple[str, ...]
    message: str


def fault_of_destinations(
    locations: Mapping[str, Location], names: Collection[str]
) -> DestinationFault | None:
    """The first fault of a name, or of two locations together; None if there is none."""
    for name in names:
        if name == DATA:
            message = f"{DATA!r} is the name of EXTRACT_DATA: choose another name"
            return DestinationFault((name,), message)
        if not _NAME.fullmatch(name):
            message = f"{name!r} is not a name: expected lower-case letters, digits, '_' and '-'"
            return DestinationFault((name,), message)
    for one, other in combinations(locations, 2):
        if locations[one].overlaps(locations[other]):
            name, beside = (one, other) if one in names else (other, one)
            message = (
                f"{locations[name]} and {locations[beside]} of destination {beside!r} overlap, so "
                f"two objects could have one key: choose another prefix"
            )
            return DestinationFault((name, "url"), message)
    return None
