"""Where things are in S3, and the one client that talks to it.

AWS is configured as the AWS SDK documents it (region, roles, `AWS_ENDPOINT_URL_S3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from extract_project.errors import BucketError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

METADATA = "extract-{}"
"""Name of a fact in the metadata of an object: S3 puts `x-amz-meta-` before it."""

MOST_METADATA = 2048
"""Bytes of names and values that S3 takes as an object's metadata."""

NULL_VERSION = "null"
"""S3's name for a version written while versioning was off or suspended."""

_CREATING = ("PutObject", "CreateMultipartUpload", "CopyObject")
"""Requests that say how a new object is encrypted."""

# botocore's three attempts give up within half a second of 503 SlowDown; a run that has queried
# for an hour deserves better.
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


def connect(kms_key_id: str | None = None) -> S3Client:
    """A client with patient retries, which encrypts whatever it writes with the key, if given.

    Who writes takes the client from `Settings.connect`, which knows the key. Importing boto3 is
    left until here because it is slow.
    """
    import boto3
    from botocore.config import Config

    s3 = boto3.client(
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
    return s3


def encrypt(s3: S3Client, kms_key_id: str) -> None:
    """Have every object that this client writes encrypted with a KMS key.

    It is the client that knows the key, and not each request, so that no request can forget it: a
    bucket policy may deny all that comes without.
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


@dataclass(frozen=True)
class Fetched:
    """An object's bytes, or a range of them, and which version they are of."""

    body: bytes
    etag: str
    version_id: str | None
    is_whole: bool


def fetch_object(s3: S3Client, chosen: GetObjectRequestTypeDef) -> Fetched:
    """A small object, or a range of one, whole and as S3 has it.

    The client tries a request again until its reply begins. What goes wrong while the body comes
    is tried again here: a connection that breaks, a body that ends early, one that does not have
    the checksum that S3 keeps.
    """
    from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

    for _ in range(_READS - 1):
        with suppress(HTTPClientError, IncompleteReadError, FlexibleChecksumError):
            return _fetch(s3, chosen)
    return _fetch(s3, chosen)


def _fetch(s3: S3Client, chosen: GetObjectRequestTypeDef) -> Fetched:
    from botocore.exceptions import IncompleteReadError

    reply = s3.get_object(**chosen)
    body = reply["Body"].read()
    if len(body) != reply["ContentLength"]:
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=reply["ContentLength"])
    is_whole = "ContentRange" not in reply
    return Fetched(body, reply["ETag"].strip('"'), reply.get("VersionId"), is_whole)


def read_object(s3: S3Client, chosen: GetObjectRequestTypeDef) -> bytes:
    """The bytes of a small object; see `fetch_object`."""
    return fetch_object(s3, chosen).body


def read_range(s3: S3Client, chosen: GetObjectRequestTypeDef, start: int, end: int) -> bytes:
    """The bytes of an object from `start` to before `end`; see `fetch_object`.

    Raises BucketError when the object is too short for that.
    """
    ranged: GetObjectRequestTypeDef = {**chosen, "Range": f"bytes={start}-{end - 1}"}
    fetched = fetch_object(s3, ranged)
    # A server may answer with the whole object, whatever range was asked for.
    body = fetched.body[start:end] if fetched.is_whole else fetched.body
    if len(body) != end - start:
        raise BucketError(
            f"s3://{chosen['Bucket']}/{chosen['Key']} gave {len(body):,} bytes of the "
            f"{end - start:,} from {start:,} on: it was replaced or damaged, read it again"
        )
    return body


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
        if error_code(error) == "NoSuchBucket":
            raise BucketError(
                f"bucket {bucket!r} does not exist: "
                f"create it with versioning on, or correct EXTRACT_DATA"
            ) from error
        if error_code(error) not in ("AccessDenied", "403"):
            raise
        raise BucketError(
            f"bucket {bucket!r} did not say whether it keeps versions (AccessDenied): "
            f"grant s3:GetBucketVersioning on arn:aws:s3:::{bucket}"
        ) from error
    if status != "Enabled":
        raise BucketError(
            f"bucket {bucket!r} has versioning {status.lower()}: extracts need it to keep history; "
            f"run: {_enable_versioning(bucket)}"
        )


def require_version_id(version_id: str | None, bucket: str, key: str) -> str:
    """The VersionId that a write of ours has got; raises BucketError where it has got none.

    `null` is what S3 calls the one version of a key that it writes over.
    """
    if version_id and version_id != NULL_VERSION:
        return version_id
    raise BucketError(
        f"s3://{bucket}/{key} was written, but not as a version: the next write replaces it for "
        f"good; versioning of bucket {bucket!r} was suspended while this ran; "
        f"run: {_enable_versioning(bucket)}, and then this once more"
    )


def _enable_versioning(bucket: str) -> str:
    return (
        f"aws s3api put-bucket-versioning --bucket {bucket} "
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
