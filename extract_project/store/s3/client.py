"""The one client that talks to S3.

AWS is configured as the AWS SDK documents it (region, roles, `AWS_ENDPOINT_URL_S3`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from extract_project.store.s3.role import Role, session_as
from extract_project.store.s3.sessions import own_session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CREATING = ("PutObject", "CreateMultipartUpload", "CopyObject")
"""Requests that say how a new object is encrypted."""

# botocore's default of three attempts gives up within half a second of 503 SlowDown, too early for
# a run that has queried for an hour.
_ATTEMPTS = 10
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECTIONS = 32


def connect(kms_key_id: str | None = None, role: Role | None = None) -> S3Client:
    """Make a client that retries patiently, encrypts with the key and assumes the role, if given.

    Code that writes gets its client from `Settings.connect`, which knows the key. The SDK is
    imported here, not above, because that is slow.
    """
    from botocore.config import Config

    session = session_as(role) if role else own_session()
    s3 = session.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
        ),
    )
    if kms_key_id:
        encrypt(s3, kms_key_id)
    _CLIENTS.add(s3)
    return s3


_CLIENTS: WeakSet[S3Client] = WeakSet()
"""The clients in use. One fork handler serves them all: a handler stays until its process ends, and
a code server connects at each tick."""


def _connect_anew() -> None:
    """Close inherited connections in a forked process: two processes that used one connection would
    read each other's answers.
    """
    for inherited in list(_CLIENTS):
        inherited.close()


if hasattr(os, "register_at_fork"):  # not on Windows, where who only reads files may be
    os.register_at_fork(after_in_child=_connect_anew)


def encrypt(s3: S3Client, kms_key_id: str) -> None:
    """Make this client encrypt every object that it writes with a KMS key.

    The client adds the key, so that no request can omit it: a bucket policy may deny requests
    without it.
    """
    encryption = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": kms_key_id,
        "BucketKeyEnabled": True,
    }

    def add(params: dict[str, Any], **_: Any) -> None:
        params.update(encryption)

    for operation in _CREATING:
        s3.meta.events.register(f"provide-client-params.s3.{operation}", add)
