"""Read small objects and ranges from S3, complete and undamaged."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from extract_project.errors import BucketError
from extract_project.store.s3.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READS = 3


def fetch(s3: S3Client, chosen: Any) -> tuple[bytes, Any]:
    """The body of a small object, or of a range of one, and the reply that it came with.

    The client retries a request until its reply begins. Failures while the body arrives are retried
    here: a broken connection, a body that ends early, or one with the wrong checksum.
    """
    from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

    with translated():
        for _ in range(_READS - 1):
            with suppress(HTTPClientError, IncompleteReadError, FlexibleChecksumError):
                return _fetch(s3, chosen)
        return _fetch(s3, chosen)


def fetch_range(s3: S3Client, chosen: Any, start: int, end: int) -> bytes:
    """The bytes of an object from `start` to before `end`; raises BucketError if too short."""
    body, reply = fetch(s3, {**chosen, "Range": f"bytes={start}-{end - 1}"})
    if "ContentRange" not in reply:  # a server may answer with the whole object all the same
        body = body[start:end]
    if len(body) != end - start:
        raise BucketError(
            f"s3://{chosen['Bucket']}/{chosen['Key']} gave {len(body):,} bytes of the "
            f"{end - start:,} from {start:,} on: "
            f"the object was replaced or damaged, so read it again"
        )
    return body


def _fetch(s3: S3Client, chosen: Any) -> tuple[bytes, Any]:
    from botocore.exceptions import IncompleteReadError

    reply = s3.get_object(**chosen)
    body = reply["Body"].read()
    if len(body) != reply["ContentLength"]:
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=reply["ContentLength"])
    return body, reply
