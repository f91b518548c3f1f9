"""The protocol of an object store. Each store is one module or package beside this one.

A store is one bucket that keeps versions. The protocol is small enough for S3, Google Cloud Storage
and Azure Blob Storage: conditions compare opaque tokens, a staged object is invisible until it is
published, and a refused publish can be tried again with another condition.

Every method raises StoreError (`errors.py`) if the store refuses or does not answer, and
BucketError, with the command that helps, if the bucket is not configured for the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from extract_project.errors import StoreError

NULL_VERSION = "null"
"""Id of an object that is not kept as a version: the next write replaces it for good."""


@dataclass(frozen=True)
class Absent:
    """A write is applied only if the key holds nothing."""


@dataclass(frozen=True)
class Holds:
    """A write is applied only if the key holds the object that this token was read from."""

    token: str


Condition = Absent | Holds


class NotApplied(StoreError):
    """The store did not carry out a write: its condition does not hold, or its upload is gone."""

    def __init__(self, message: str, *, upload_is_gone: bool = False) -> None:
        super().__init__(message)
        self.upload_is_gone = upload_is_gone


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object."""

    key: str
    version_id: str
    token: str
    """For `Holds`. Stores may make it of the content: equal bytes may have equal tokens."""
    size: int
    modified: datetime
    facts: Mapping[str, str]
    """The object's metadata that this project wrote."""
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class ListedObject:
    """A current object in a listing."""

    key: str
    token: str
    modified: datetime | None = field(default=None, compare=False)
    """When it was written, by the store's clock. It is ignored when listings are compared."""


@dataclass(frozen=True)
class ListedVersion:
    """A version or a delete marker in a listing."""

    key: str
    version_id: str
    modified: datetime
    """To the second. S3 dates an object of several parts to when its upload began."""
    is_latest: bool
    is_deleted: bool
    """Whether it is a delete marker: from then on the key held nothing."""
    size: int = 0


@dataclass(frozen=True)
class Fetched:
    """An object's bytes, and their version."""

    body: bytes
    token: str
    version_id: str | None
    modified: datetime | None = None
    """When it was written, by the store's clock."""


@dataclass(frozen=True)
class Written:
    """The version that a write made."""

    version_id: str
    token: str


@dataclass(frozen=True)
class Abandoned:
    """A staged object that was neither published nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime


@dataclass(frozen=True)
class NotRemoved:
    """A version that the store did not remove."""

    key: str
    version_id: str
    code: str
    """The store's own name for the reason."""
    reason: str
    is_denied: bool = False
    """Whether the caller lacks the permission, rather than anything being wrong."""
    kept_by: str | None = None
    """The hold or retention that keeps the version, in words, and what to do about it."""


class StagedObject(Protocol):
    """An object being written, invisible to readers; it is a file object for writers.

    Exactly one of `publish` and `abort` takes effect; `abort` after `publish` does nothing.
    """

    closed: bool
    size: int
    """Bytes written so far."""

    @property
    def key(self) -> str: ...

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes written so far."""

    @property
    def takes_facts(self) -> bool:
        """Whether what `describe` is told now is still stored with the object."""

    def describe(self, facts: Mapping[str, str]) -> None:
        """Add to the object's facts, as long as `takes_facts` holds."""

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes; may block while earlier ones are being sent. Raises StagingError."""

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def seal(self) -> None:
        """Wait until the store has all bytes; raises StagingError."""

    def publish(self, condition: Condition | None) -> Written:
        """Make it the current version of its key if the condition holds: one request.

        Raises NotApplied if it does not hold. Then it can be tried again with another condition.
        """

    def abort(self) -> None:
        """Discard it. Safe to call at any time, any number of times; does not raise StoreError."""


class Buckets(Protocol):
    """Opens the buckets of one kind of store."""

    @classmethod
    def connected(cls, kms_key_id: str | None) -> Self:
        """Configured by the environment; encrypts whatever it writes with the key, if given."""

    def bucket(self, name: str) -> Store:
        """One of its buckets; it need not exist."""


class Store(Protocol):
    """One bucket that keeps versions."""

    @property
    def name(self) -> str:
        """The bucket's name."""

    @property
    def kms_key_id(self) -> str | None:
        """The key that encrypts what is written; None if that is left to the bucket."""

    def uri(self, key: str = "") -> str:
        """Address of an object, or of the bucket."""

    # Reading

    def find(self, key: str, version_id: str | None = None) -> ObjectVersion | None:
        """The given version, or the current one; None if there is none."""

    def read(self, key: str, version_id: str | None = None) -> Fetched:
        """Read a small object; raises NoSuchObject. Broken connections are retried."""

    def read_range(self, key: str, version_id: str, start: int, end: int) -> bytes:
        """The bytes of a version from `start` to before `end`; raises BucketError if too short."""

    def list(self, prefix: str, *, recursive: bool = True) -> Iterator[ListedObject]:
        """Current objects whose key begins with `prefix`, ordered by key.

        If not recursive: only those without a further slash.
        """

    def history(self, prefix: str) -> Iterator[ListedVersion]:
        """Versions and delete markers of keys that begin with `prefix`; each key's newest first."""

    # Writing

    def put(
        self,
        key: str,
        body: bytes,
        content_type: str,
        *,
        facts: Mapping[str, str] | None = None,
        condition: Condition | None = None,
    ) -> Written:
        """Write a small object; raises NotApplied if the condition does not hold.

        `Written.version_id` is NULL_VERSION if the bucket keeps no versions.
        """

    def stage(self, key: str, content_type: str, *, hold_nothing: bool = False) -> StagedObject:
        """Begin an object of any size. With `hold_nothing` it holds no memory once it is sealed."""

    def copy(
        self, old: ObjectVersion, facts: Mapping[str, str], condition: Condition | None
    ) -> Written:
        """Copy a version to its own key, within the store; raises NotApplied."""

    def hide(self, key: str, condition: Holds | None = None) -> None:
        """Delete the current object; its versions stay. Raises NotApplied."""

    def remove(self, versions: Iterable[tuple[str, str]]) -> Iterator[NotRemoved]:
        """Remove versions (key, id) for good; yields those that were not removed."""

    def facts_room(self, facts: Mapping[str, str]) -> int:
        """Bytes still free in the metadata beside these facts; negative if they do not fit."""

    def sending(self, require: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the block, call `require` before each request that sends staged bytes, retries
        included.

        An exception from `require` ends the request.
        """

    # Unpublished uploads

    def abandoned(self, prefix: str) -> Iterator[Abandoned]:
        """Uploads of any process, under keys that begin with `prefix`, that have not ended."""

    def discard(self, upload: Abandoned) -> None:
        """Abort the upload of another process; no error if it has ended."""

    # The bucket

    def hold(self, key: str, version_id: str) -> None:
        """Protect a version from removal until it is released."""

    def release(self, key: str, version_id: str) -> None: ...

    def require_holds(self) -> None:
        """Raise BucketError if the bucket cannot hold versions."""

    def require_versioning(self) -> None:
        """Raise BucketError unless the bucket keeps versions: without them there is no history."""

    def try_staging(self, key: str) -> None:
        """Start an upload, list it and abort it; raises the errors that a run would get."""

    def clock(self) -> datetime | None:
        """The store's own time; None if it does not tell it."""

    def require_version(self, version_id: str | None, key: str) -> str:
        """Check the version id that a write returned; raises BucketError if nothing was kept."""
