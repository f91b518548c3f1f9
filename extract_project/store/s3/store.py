"""The `Store` of an S3 bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from extract_project.errors import BucketError
from extract_project.store.protocol import (
    NULL_VERSION,
    Abandoned,
    Condition,
    Fetched,
    Holds,
    ListedObject,
    ListedVersion,
    NotRemoved,
    ObjectVersion,
    Written,
)
from extract_project.store.s3.copy import copy_version
from extract_project.store.s3.errors import ABSENT, DENIED, error_code, translated
from extract_project.store.s3.listing import list_history, modified
from extract_project.store.s3.metadata import (
    MOST_METADATA,
    from_metadata,
    metadata_size,
    to_metadata,
)
from extract_project.store.s3.reading import fetch, fetch_range
from extract_project.store.s3.upload import S3Upload, abort_upload, headers, raise_not_applied
from extract_project.store.s3.versioning import (
    require_object_lock,
    require_version_id,
    require_versioning,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_ONCE = 1000
_SENDING = ("CreateMultipartUpload", "UploadPart")


@dataclass(frozen=True)
class S3Store:
    """A bucket, and the client that talks to it; stores of one client share its connections."""

    client: S3Client
    bucket: str
    kms_key_id: str | None = field(default=None, kw_only=True)
    """The key with which the client encrypts what it writes."""

    @property
    def name(self) -> str:
        return self.bucket

    def uri(self, key: str = "") -> str:
        return f"s3://{self.bucket}/{key}" if key else f"s3://{self.bucket}"

    def find(self, key: str, version_id: str | None = None) -> ObjectVersion | None:
        from botocore.exceptions import ClientError

        with translated():
            try:
                head = self._head(self._chosen(key, version_id))
            except ClientError as error:
                if error_code(error) in ABSENT:
                    return None
                raise
        return ObjectVersion(
            key=key,
            version_id=head.get("VersionId", NULL_VERSION),
            token=head["ETag"].strip('"'),
            size=head["ContentLength"],
            modified=head["LastModified"],
            facts=from_metadata(head["Metadata"]),
            content_type=head["ContentType"],
        )

    def _head(self, chosen: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self.client.head_object(**chosen)
        except ClientError as error:
            if error_code(error) != "400":
                raise
        # The reply to HEAD has no body that would say why: the VersionId is malformed, or the
        # credentials have expired, which must not look as if nothing were published.
        self.client.get_object(**chosen)["Body"].close()
        return self.client.head_object(**chosen)

    def read(self, key: str, version_id: str | None = None) -> Fetched:
        body, reply = fetch(self.client, self._chosen(key, version_id))
        token, version_id = reply["ETag"].strip('"'), reply.get("VersionId")
        return Fetched(body, token, version_id, reply["LastModified"])

    def read_range(self, key: str, version_id: str, start: int, end: int) -> bytes:
        return fetch_range(self.client, self._chosen(key, version_id), start, end)

    def list(self, prefix: str, *, recursive: bool = True) -> Iterator[ListedObject]:
        asked: Any = {"Bucket": self.bucket, "Prefix": prefix}
        if not recursive:
            asked["Delimiter"] = "/"
        with translated():
            for page in self.client.get_paginator("list_objects_v2").paginate(**asked):
                for item in page.get("Contents", []):
                    yield ListedObject(item["Key"], item["ETag"].strip('"'), modified(item))

    def history(self, prefix: str) -> Iterator[ListedVersion]:
        return list_history(self.client, self.bucket, prefix)

    def put(
        self,
        key: str,
        body: bytes,
        content_type: str,
        *,
        facts: Mapping[str, str] | None = None,
        condition: Condition | None = None,
    ) -> Written:
        from botocore.exceptions import ClientError

        with translated():
            try:
                reply = self.client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=body,
                    ContentType=content_type,
                    Metadata=to_metadata(facts or {}),
                    **headers(condition),
                )
            except ClientError as error:
                if condition is not None:
                    raise_not_applied(error)
                raise
        return Written(reply.get("VersionId") or NULL_VERSION, reply["ETag"].strip('"'))

    def stage(self, key: str, content_type: str, *, hold_nothing: bool = False) -> S3Upload:
        return S3Upload(self.client, self.bucket, key, content_type, hold_nothing=hold_nothing)

    def copy(
        self, old: ObjectVersion, facts: Mapping[str, str], condition: Condition | None
    ) -> Written:
        return copy_version(self.client, self.bucket, old, facts, condition)

    def hide(self, key: str, condition: Holds | None = None) -> None:
        from botocore.exceptions import ClientError

        with translated():
            try:
                self.client.delete_object(Bucket=self.bucket, Key=key, **headers(condition))
            except ClientError as error:
                if condition is not None:
                    raise_not_applied(error)
                raise

    def remove(self, versions: Iterable[tuple[str, str]]) -> Iterator[NotRemoved]:
        everything: Any = [{"Key": key, "VersionId": version_id} for key, version_id in versions]
        for start in range(0, len(everything), _AT_ONCE):
            objects = everything[start : start + _AT_ONCE]
            with translated():
                reply = self.client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            for each in reply.get("Errors", []):
                key, version_id = each.get("Key", ""), each.get("VersionId", "")
                denied = each.get("Code", "") in DENIED
                yield NotRemoved(
                    key,
                    version_id,
                    code=each.get("Code", ""),
                    reason=each.get("Message", ""),
                    is_denied=denied,
                    kept_by=self._kept_by(key, version_id) if denied else None,
                )

    def _kept_by(self, key: str, version_id: str) -> str | None:
        """Why Object Lock keeps a version, and what to do; None if it does not."""
        from botocore.exceptions import ClientError

        try:
            head = self.client.head_object(**self._chosen(key, version_id))
        except ClientError:
            return None
        until = head.get("ObjectLockRetainUntilDate")
        if until and until > datetime.now(UTC):
            return (
                f"Object Lock retains it until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC "
                f"({head.get('ObjectLockMode')} mode), which is usually the default retention of "
                f"the bucket (aws s3api get-object-lock-configuration --bucket {self.bucket}): "
                f"prune again then, or with an --older-than that is longer than the retention"
            )
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            return "it is under a legal hold that is not a pin: ask whoever set it to lift it"
        return None

    def facts_room(self, facts: Mapping[str, str]) -> int:
        return MOST_METADATA - metadata_size(facts)

    @contextmanager
    def sending(self, require: Callable[[], None]) -> Iterator[None]:
        def before_send(**_: object) -> None:
            require()

        events = [f"before-send.s3.{each}" for each in _SENDING]
        for event in events:
            self.client.meta.events.register(event, before_send)
        try:
            yield
        finally:
            for event in events:
                self.client.meta.events.unregister(event, before_send)

    def abandoned(self, prefix: str) -> Iterator[Abandoned]:
        pages = self.client.get_paginator("list_multipart_uploads")
        with translated():
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Uploads", []):
                    yield Abandoned(item["Key"], item["UploadId"], item["Initiated"])

    def discard(self, upload: Abandoned) -> None:
        abort_upload(self.client, {"Bucket": self.bucket, "Key": upload.key}, upload.upload_id)

    def hold(self, key: str, version_id: str) -> None:
        self._hold(key, version_id, "ON")

    def release(self, key: str, version_id: str) -> None:
        self._hold(key, version_id, "OFF")

    def _hold(self, key: str, version_id: str, status: Literal["ON", "OFF"]) -> None:
        from botocore.exceptions import ClientError

        with translated():
            try:
                self.client.put_object_legal_hold(
                    **self._chosen(key, version_id), LegalHold={"Status": status}
                )
            except ClientError as error:
                if error_code(error) not in DENIED:
                    raise
                raise BucketError(
                    f"bucket {self.bucket!r} does not let you hold versions: this needs "
                    f"s3:PutObjectLegalHold, which no role of the stack has; ask an administrator"
                ) from error

    def require_holds(self) -> None:
        require_object_lock(self.client, self.bucket)

    def require_versioning(self) -> None:
        require_versioning(self.client, self.bucket)

    def try_staging(self, key: str) -> None:
        item: Any = {"Bucket": self.bucket, "Key": key}
        with translated():
            begun = self.client.create_multipart_upload(**item)
            try:
                self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=key)
            finally:
                self.client.abort_multipart_upload(**item, UploadId=begun["UploadId"])

    def clock(self) -> datetime | None:
        from botocore.exceptions import ClientError

        reply: Any
        with translated():
            try:
                reply = self.client.head_bucket(Bucket=self.bucket)
            except ClientError as error:  # a refusal tells the time as well
                reply = error.response
        date = reply["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
        return parsedate_to_datetime(date) if date else None

    def require_version(self, version_id: str | None, key: str) -> str:
        return require_version_id(version_id, self.bucket, key)

    def _chosen(self, key: str, version_id: str | None = None) -> Any:
        version = {"VersionId": version_id} if version_id else {}
        return {"Bucket": self.bucket, "Key": key, **version}
