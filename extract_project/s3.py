"""Where things are in S3, and the one client that talks to it.

AWS is configured as the AWS SDK documents it (region, roles, `AWS_ENDPOINT_URL_S3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from extract_project.errors import BucketError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

# botocore's three attempts give up within half a second of 503 SlowDown; a run that has queried
# for an hour deserves better.
METADATA = "extract-{}"
"""Name of a fact in the metadata of an object: S3 puts `x-amz-meta-` before it."""

MOST_METADATA = 2048
"""Bytes of names and values that S3 takes as an object's metadata."""

_ATTEMPTS = 10
_READS = 3
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECTIONS = 32


@dataclass(frozen=True)
class Location:
    """A bucket and a prefix in it; the prefix has no slash at either end and may be empty."""

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, uri: str) -> Location:
        """Read `s3://bucket/prefix`; raises ValueError that says what was expected."""
        scheme, _, rest = uri.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise ValueError(f"{uri!r} is no S3 location: expected s3://bucket/prefix")
        return cls(bucket, prefix.strip("/"))

    def __truediv__(self, path: str) -> Location:
        return Location(self.bucket, self.key(path))

    def key(self, path: str) -> str:
        """The object key of `path` below this location."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def relative(self, key: str) -> str:
        """The path below this location of an object key."""
        return key[len(self.prefix) + 1 :] if self.prefix else key

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    def __str__(self) -> str:
        return self.uri


def connect() -> S3Client:
    """A client with patient retries; importing boto3 is left until here because it is slow."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
        ),
    )


def read_object(s3: S3Client, chosen: GetObjectRequestTypeDef) -> bytes:
    """The bytes of a small object, or of a range of one.

    The client tries a request again until its reply begins; a connection that breaks while the
    body comes is left to whoever reads it.
    """
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    for _ in range(_READS - 1):
        with suppress(HTTPClientError, IncompleteReadError):
            return s3.get_object(**chosen)["Body"].read()
    return s3.get_object(**chosen)["Body"].read()


def error_code(error: Exception) -> str:
    """S3's own name for what went wrong (`NoSuchKey`, `PreconditionFailed`, `404`), or ''."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def require_versioning(s3: S3Client, bucket: str) -> None:
    """Raise BucketError unless the bucket keeps versions: without them there is no history."""
    from botocore.exceptions import ClientError

    try:
        status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
    except ClientError as error:
        code = error_code(error)
        if code == "NoSuchBucket":
            raise BucketError(
                f"bucket {bucket!r} does not exist: "
                f"create it with versioning on, or correct EXTRACT_DATA"
            ) from error
        raise BucketError(
            f"bucket {bucket!r} did not say whether it keeps versions ({code}): "
            f"grant s3:GetBucketVersioning on arn:aws:s3:::{bucket}"
        ) from error
    if status != "Enabled":
        raise BucketError(
            f"bucket {bucket!r} has versioning {status.lower()}: extracts need it to keep history; "
            f"run: aws s3api put-bucket-versioning --bucket {bucket} "
            f"--versioning-configuration Status=Enabled"
        )


def header_safe(value: str) -> str:
    """Percent-encode what an HTTP header cannot carry (object metadata is sent as headers)."""
    return quote(value, safe=" !#$&'()*+,/:;=?@[]-._~")


def metadata_size(facts: Mapping[str, str]) -> int:
    """Bytes that facts take as the metadata of an object."""
    return sum(
        len(METADATA.format(name)) + len(header_safe(value)) for name, value in facts.items()
    )


def from_header(value: str) -> str:
    """The inverse of `header_safe`."""
    return unquote(value)
