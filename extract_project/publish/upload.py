"""One object that nobody can see until it is published (G1, G2).

Bytes that fit into one part are held in memory and put at the end; anything larger is a multipart
upload, whose parts S3 shows to nobody until it is completed. Publishing is one conditional request
either way, and the VersionId is the one that this request returned.

(The parts of an upload are S3's; they have nothing to do with the part objects of a split extract,
each of which is an upload of its own.)
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from extract_project.errors import StagingError
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.store.s3 import error_code, header_safe, require_version_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MIB = 1 << 20
_MAX_PARTS = 10_000
_PARTS_PER_SIZE = 2_000
_FIRST_PART = 8 * _MIB
_LARGEST_PART = 64 * _MIB
_UPLOADS = 2
_PREFIX = "extract-"
ABANDONED_AFTER = LONGEST_TIMEOUT + timedelta(hours=1)
"""How old an upload is that no run can own any more, whatever its header's `timeout` was."""
NOT_APPLIED = {
    *("PreconditionFailed", "ConditionalRequestConflict"),
    "NoSuchKey",  # Amazon's answer where the condition is an ETag, and the key has been deleted
    *("412", "409", "404"),  # the same, where the reply broke off before it had said so
    "NoSuchUpload",
}
"""S3's names for a conditional write that it did not carry out."""


@dataclass(frozen=True)
class Target:
    """The key that is published."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Written:
    """What S3 said of the write that published."""

    version_id: str
    etag: str


class NotApplied(Exception):
    """S3 did not carry out a write: its condition does not hold, or its upload is gone."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.upload_is_gone = code == "NoSuchUpload"


def part_size(number: int) -> int:
    """Bytes of part `number` (from 1): small files in small parts, and 10,000 parts are never
    met below 280 GB, at two parts in flight and one being filled.
    """
    return min(_FIRST_PART << ((number - 1) // _PARTS_PER_SIZE), _LARGEST_PART)


class Upload:
    """A file being written to S3; `publish` makes it visible, `abort` makes it never have been.

    Memory: `_UPLOADS` parts in flight and one being filled; sealed, what was not sent, which with
    `hold_nothing` is nothing. Exactly one of `publish` and `abort` takes effect; `abort` after
    `publish` does nothing.
    """

    def __init__(
        self, s3: S3Client, target: Target, content_type: str, *, hold_nothing: bool = False
    ) -> None:
        self._s3 = s3
        self.target = target
        self._content_type = content_type
        self._hold_nothing = hold_nothing
        self._metadata: dict[str, str] = {}
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._upload_id: str | None = None
        self._parts: list[Future[dict[str, Any]]] = []
        self._free = BoundedSemaphore(_UPLOADS)
        self._pool = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="upload")
        self._open = True
        self.closed = False
        self.size = 0

    def describe(self, metadata: Mapping[str, str]) -> None:
        """Set object metadata; what is set after the first part has left is not stored."""
        self._metadata |= {_PREFIX + key: header_safe(value) for key, value in metadata.items()}

    @property
    def sha256(self) -> str:
        """Of all bytes written so far."""
        return self._digest.hexdigest()

    @property
    def is_multipart(self) -> bool:
        return self._upload_id is not None

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes; blocks while too many parts are in flight; raises StagingError."""
        self._digest.update(data)
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) > part_size(len(self._parts) + 1):
            self._send(part_size(len(self._parts) + 1))
        return len(data)

    def flush(self) -> None:
        """Parts leave when they are full."""

    def close(self) -> None:
        """For file-like users; `publish` or `abort` ends the upload."""

    def seal(self) -> None:
        """Send what is left and wait until S3 has every part; raises StagingError."""
        unsent = self._buffer or not self._parts
        if unsent and (self.is_multipart or self._hold_nothing):
            self._send(len(self._buffer))
            self._buffer = bytearray()
        self._completed_parts()
        self._pool.shutdown()

    def publish(self, condition: Mapping[str, str]) -> Written:
        """Make it the current version, if `condition` (`IfMatch` / `IfNoneMatch`) holds.

        Raises NotApplied when it does not, or when S3 has lost the upload; the client's error when
        S3 refuses; BucketError when S3 keeps no version of what it has written; StagingError when
        this upload has been published or aborted before.
        """
        if not self._open:
            raise StagingError(f"the upload of {self.target.uri} has ended: stage it again")
        try:
            written = self._write(condition)
        except self._s3.exceptions.ClientError as error:
            if error_code(error) in NOT_APPLIED:
                raise NotApplied(error_code(error)) from error
            raise
        self._finish()
        return written

    def _write(self, condition: Mapping[str, str]) -> Written:
        if self._upload_id is None:
            put = self._s3.put_object(
                Bucket=self.target.bucket,
                Key=self.target.key,
                Body=bytes(self._buffer),
                ContentType=self._content_type,
                Metadata=self._metadata,
                **condition,  # type: ignore[arg-type]
            )
            return self._written(put)
        completed = self._s3.complete_multipart_upload(
            Bucket=self.target.bucket,
            Key=self.target.key,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": self._completed_parts()},  # type: ignore[typeddict-item]
            **condition,  # type: ignore[arg-type]
        )
        return self._written(completed)

    def _written(self, reply: Any) -> Written:
        version_id = reply.get("VersionId")
        require_version_id(version_id, self.target.bucket, self.target.key)
        return Written(version_id, reply["ETag"].strip('"'))

    def abort(self) -> None:
        """Forget everything: no object, no parts. Safe to call at any time, any number of times."""
        if not self._open:
            return
        self._finish()
        if self._upload_id is not None:
            abort_or_leave(self._s3, self.target.bucket, self.target.key, self._upload_id)

    def _finish(self) -> None:
        self._open = False
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._buffer = bytearray()

    def _send(self, size: int) -> None:
        self._upload_id = self._upload_id or self._create()
        number = len(self._parts) + 1
        if number > _MAX_PARTS:
            raise StagingError(
                f"the file has reached {self.size:,} bytes, S3's {_MAX_PARTS:,} parts: "
                f"extract less at once"
            )
        self._free.acquire()
        self._raise_first_failure()
        body = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        future = self._pool.submit(self._put_part, number, body)
        future.add_done_callback(lambda _: self._free.release())
        self._parts.append(future)

    def _create(self) -> str:
        reply = self._s3.create_multipart_upload(
            Bucket=self.target.bucket,
            Key=self.target.key,
            ContentType=self._content_type,
            Metadata=self._metadata,
            ChecksumAlgorithm="CRC32",
        )
        return reply["UploadId"]

    def _put_part(self, number: int, body: bytes) -> dict[str, Any]:
        assert self._upload_id is not None
        reply = self._s3.upload_part(
            Bucket=self.target.bucket,
            Key=self.target.key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm="CRC32",
        )
        part: dict[str, Any] = {"PartNumber": number, "ETag": reply["ETag"]}
        if "ChecksumCRC32" in reply:
            part["ChecksumCRC32"] = reply["ChecksumCRC32"]
        return part

    def _completed_parts(self) -> list[dict[str, Any]]:
        for part in self._parts:
            error = part.exception()
            if error is not None:
                raise self._failed(error) from error
        return [part.result() for part in self._parts]

    def _raise_first_failure(self) -> None:
        for part in self._parts[-2 * _UPLOADS :]:
            if part.done() and part.exception() is not None:
                self._free.release()
                error = part.exception()
                raise self._failed(error) from error

    def _failed(self, error: BaseException | None) -> StagingError:
        return StagingError(
            f"a part of {self.target.uri} was refused after retries: {error}", transient=True
        )


@dataclass(frozen=True)
class Abandoned:
    """An upload that nobody will finish."""

    key: str
    upload_id: str
    begun_at: datetime


def sweep(
    s3: S3Client, bucket: str, prefix: str, owns: Callable[[str], bool], older_than: timedelta
) -> int:
    """Abort what `abandoned` finds; returns how many there were."""
    found = list(abandoned(s3, bucket, prefix, owns, older_than))
    for each in found:
        abort(s3, bucket, each.key, each.upload_id)
    return len(found)


def abandoned(
    s3: S3Client, bucket: str, prefix: str, owns: Callable[[str], bool], older_than: timedelta
) -> Iterator[Abandoned]:
    """Uploads of keys below `prefix` which `owns` says are this extract's, begun so long ago that
    they are what a `kill -9` left behind.
    """
    limit = datetime.now(UTC) - older_than
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Uploads", []):
            if owns(item["Key"]) and item["Initiated"] < limit:
                yield Abandoned(item["Key"], item["UploadId"], item["Initiated"])


def abort_or_leave(s3: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Abort an upload; when S3 does not answer, leave it to the sweep of a later run.

    Nothing else is lost then, and what the run ended with is what its reader has to know.
    """
    try:
        abort(s3, bucket, key, upload_id)
    except (BotoCoreError, ClientError) as error:
        logging.getLogger(__name__).warning(
            "an upload of s3://%s/%s was left open, until a later run sweeps: %s",
            *(bucket, key, error),
        )


def abort(s3: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Somebody else may have aborted it in the meantime."""
    try:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except s3.exceptions.ClientError as error:
        if error_code(error) != "NoSuchUpload":
            raise
