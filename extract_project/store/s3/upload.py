"""A staged object in S3: bytes that nobody can see until they are published (G1, G2).

What fits into one part is held in memory and put at the end; anything larger is a multipart upload,
whose parts S3 shows to nobody until it is completed. Publishing is one conditional request either
way, and the version id is the one that this request returned.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from extract_project.daemons import DaemonPool
from extract_project.errors import BucketError, StagingError, StoreError
from extract_project.store.protocol import Absent, Condition, Holds, NotApplied, Written
from extract_project.store.s3.errors import NOT_APPLIED, error_code, refused, translated
from extract_project.store.s3.metadata import to_metadata
from extract_project.store.s3.versioning import require_version_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MIB = 1 << 20
_MAX_PARTS = 10_000
_PARTS_PER_SIZE = 2_000
_FIRST_PART = 8 * _MIB
_LARGEST_PART = 64 * _MIB
_UPLOADS = 2


def headers(condition: Condition | None) -> dict[str, Any]:
    """A condition as parameters of a request."""
    match condition:
        case Absent():
            return {"IfNoneMatch": "*"}
        case Holds(token):
            return {"IfMatch": f'"{token}"'}
        case None:
            return {}


def part_size(number: int) -> int:
    """Bytes of part `number` (from 1).

    Small files have small parts, so that two parts in flight and one being filled take little
    memory. Parts grow with the file, which reaches the limit of 10,000 parts only above 280 GB.
    """
    return min(_FIRST_PART << ((number - 1) // _PARTS_PER_SIZE), _LARGEST_PART)


class S3Upload:
    """A `StagedObject` in S3.

    Memory: `_UPLOADS` parts in flight and one being filled. Once sealed: the bytes that were not
    sent, none with `hold_nothing`.
    """

    def __init__(
        self, s3: S3Client, bucket: str, key: str, content_type: str, *, hold_nothing: bool
    ) -> None:
        self._s3 = s3
        self._object: Any = {"Bucket": bucket, "Key": key}
        self._uri = f"s3://{bucket}/{key}"
        self._content_type = content_type
        self._hold_nothing = hold_nothing
        self._metadata: dict[str, str] = {}
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._upload_id: str | None = None
        self._parts: list[Future[dict[str, Any]]] = []
        self._free = BoundedSemaphore(_UPLOADS)
        self._pool = DaemonPool(_UPLOADS, "upload")
        self._open = True
        self.key = key
        self.closed = False
        self.size = 0

    @property
    def takes_facts(self) -> bool:
        return self._upload_id is None  # S3 takes the metadata with the first part

    def describe(self, facts: Mapping[str, str]) -> None:
        self._metadata |= to_metadata(facts)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> int:
        self._digest.update(data)
        self.size += len(data)
        rest = memoryview(data)
        while rest:  # a part at a time: a long value is not copied as a whole
            room = part_size(len(self._parts) + 1) - len(self._buffer)
            if not room:
                self._send(len(self._buffer))
                continue
            self._buffer += rest[:room]
            rest = rest[room:]
        return len(data)

    def flush(self) -> None:
        """Do nothing: parts are sent when they are full."""

    def close(self) -> None:
        """For file-like users; `publish` or `abort` ends the upload."""

    def seal(self) -> None:
        unsent = self._buffer or not self._parts
        if unsent and (self._upload_id is not None or self._hold_nothing):
            self._send(len(self._buffer))
            self._buffer = bytearray()
        self._completed_parts()
        self._pool.shutdown()

    def publish(self, condition: Condition | None) -> Written:
        """Implements the protocol; raises NotApplied also if S3 has lost the upload.

        Raises BucketError when S3 keeps no version of what it has written, StagingError when this
        upload has been published or aborted before.
        """
        if not self._open:
            raise StagingError(f"the upload of {self._uri} has ended: stage it again")
        written = carry_out(lambda: self._write(headers(condition)), self._object)
        self._finish()
        return written

    def _write(self, condition: Mapping[str, Any]) -> Any:
        if self._upload_id is None:
            return self._s3.put_object(
                **self._object,
                Body=bytes(self._buffer),
                ContentType=self._content_type,
                Metadata=self._metadata,
                **condition,
            )
        parts: Any = {"Parts": self._completed_parts()}
        return self._s3.complete_multipart_upload(
            **self._object,
            UploadId=self._upload_id,
            MultipartUpload=parts,
            **condition,
        )

    def abort(self) -> None:
        if not self._open:
            return
        self._finish()
        if self._upload_id is not None:
            abort_or_leave(self._s3, self._object, self._upload_id)

    def _finish(self) -> None:
        self._open = False
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._buffer = bytearray()

    def _send(self, size: int) -> None:
        self._upload_id = self._upload_id or self._create()
        number = len(self._parts) + 1
        if number > _MAX_PARTS:
            raise StagingError(
                f"the file has reached {self.size:,} bytes and S3's limit of "
                f"{_MAX_PARTS:,} parts: write 'split: {{bytes: 256MB}}' in the header, "
                f"or select less"
            )
        self._free.acquire()
        self._raise_first_failure()
        body = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        future = self._pool.submit(self._put_part, number, body)
        future.add_done_callback(lambda _: self._free.release())
        self._parts.append(future)

    def _create(self) -> str:
        return create_upload(self._s3, self._object, self._content_type, self._metadata)

    def _put_part(self, number: int, body: bytes) -> dict[str, Any]:
        assert self._upload_id is not None
        reply = self._s3.upload_part(
            **self._object,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm="CRC32",
        )
        return part_reference(number, reply)

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
            f"a part of {self._uri} was refused after retries: {error}", transient=True
        )


def create_upload(s3: S3Client, item: Any, content_type: str, metadata: Mapping[str, str]) -> str:
    """Begin a multipart upload; returns its id."""
    with translated():
        reply = s3.create_multipart_upload(
            **item, ContentType=content_type, Metadata=metadata, ChecksumAlgorithm="CRC32"
        )
    return reply["UploadId"]


def part_reference(number: int, reply: Any) -> dict[str, Any]:
    """The entry for a part in the request that completes an upload."""
    part: dict[str, Any] = {"PartNumber": number, "ETag": reply["ETag"]}
    if "ChecksumCRC32" in reply:
        part["ChecksumCRC32"] = reply["ChecksumCRC32"]
    return part


def carry_out(write: Any, item: Any) -> Written:
    """Send a conditional write that publishes; returns the version that it made.

    Raises NotApplied if S3 did not carry it out, BucketError if it kept no version.
    """
    from botocore.exceptions import ClientError

    with translated():
        try:
            reply = write()
        except ClientError as error:
            raise_not_applied(error)
            raise
    version_id = require_version_id(reply.get("VersionId"), item["Bucket"], item["Key"])
    return Written(version_id, reply["ETag"].strip('"'))


def raise_not_applied(error: Any) -> None:
    """Raise NotApplied if the error means that a conditional write was not carried out."""
    code = error_code(error)
    if code in NOT_APPLIED:
        raise NotApplied(str(refused(error)), upload_is_gone=code == "NoSuchUpload") from error


def abort_or_leave(s3: S3Client, item: Any, upload_id: str) -> None:
    """Abort an upload. If S3 does not answer, log it and leave the upload to a later run's sweep.

    An error here must not hide the error or the result of the run.
    """
    try:
        abort_upload(s3, item, upload_id)
    except (BucketError, StoreError) as error:  # BucketError: the role may not be assumed
        logging.getLogger(__name__).warning(
            "an upload of s3://%s/%s was left open; a later run will abort it: %s",
            *(item["Bucket"], item["Key"], error),
        )


def abort_upload(s3: S3Client, item: Any, upload_id: str) -> None:
    """Abort an upload, which somebody else may have aborted in the meantime."""
    from botocore.exceptions import ClientError

    with translated():
        try:
            s3.abort_multipart_upload(**item, UploadId=upload_id)
        except ClientError as error:
            if error_code(error) != "NoSuchUpload":
                raise
