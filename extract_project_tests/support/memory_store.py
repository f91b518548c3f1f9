"""A store in the memory of this process. It implements the protocol without S3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import RLock

from extract_project.errors import BucketError, Cause, NoSuchObject, StagingError
from extract_project.store.protocol import (
    NULL_VERSION,
    Abandoned,
    Absent,
    Condition,
    Fetched,
    Holds,
    ListedObject,
    ListedVersion,
    NotApplied,
    NotRemoved,
    ObjectVersion,
    Written,
)

_MOST_FACTS = 8192


@dataclass(frozen=True)
class _Stored:
    """A version, or a delete marker, which has no body."""

    version: ObjectVersion
    body: bytes | None


@dataclass(eq=False)
class MemoryStore:
    """Objects by key, each with its versions, the newest last; tokens are version ids."""

    name: str
    objects: dict[str, list[_Stored]] = field(default_factory=dict)
    staged: list[MemoryUpload] = field(default_factory=list)
    holds: set[tuple[str, str]] = field(default_factory=set)
    kms_key_id: str | None = None
    lock: RLock = field(default_factory=RLock)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def uri(self, key: str = "") -> str:
        return f"memory://{self.name}/{key}" if key else f"memory://{self.name}"

    def find(self, key: str, version_id: str | None = None) -> ObjectVersion | None:
        found = self._stored(key, version_id)
        return found.version if found else None

    def read(self, key: str, version_id: str | None = None) -> Fetched:
        found = self._stored(key, version_id)
        if found is None or found.body is None:
            raise NoSuchObject(
                f"{self.uri(key)} has no {version_id or 'current version'}",
                code="NoSuchKey",
                cause=Cause.S3,
                transient=False,
            )
        version = found.version
        return Fetched(found.body, version.token, version.version_id, version.modified)

    def read_range(self, key: str, version_id: str, start: int, end: int) -> bytes:
        body = self.read(key, version_id).body[start:end]
        if len(body) != end - start:
            raise BucketError(f"{self.uri(key)} is shorter than {end:,} bytes: read it again")
        return body

    def list(self, prefix: str, *, recursive: bool = True) -> Iterator[ListedObject]:
        for key in sorted(self.objects):
            found = self._stored(key, None) if key.startswith(prefix) else None
            if found and (recursive or "/" not in key[len(prefix) :]):
                yield ListedObject(key, found.version.token, found.version.modified)

    def history(self, prefix: str) -> Iterator[ListedVersion]:
        for key in sorted(each for each in self.objects if each.startswith(prefix)):
            newest = self.objects[key][-1:]
            for each in reversed(self.objects[key]):
                version = each.version
                yield ListedVersion(
                    key,
                    version.version_id,
                    version.modified.replace(microsecond=0),
                    [each] == newest,
                    each.body is None,
                    version.size,
                )

    def put(
        self,
        key: str,
        body: bytes,
        content_type: str,
        *,
        facts: Mapping[str, str] | None = None,
        condition: Condition | None = None,
    ) -> Written:
        with self.lock:
            self._require(key, condition)
            return self._add(key, body, content_type, facts or {})

    def stage(self, key: str, content_type: str, *, hold_nothing: bool = False) -> MemoryUpload:
        upload = MemoryUpload(self, key, content_type, f"upload-{next(self._numbers)}")
        self.staged.append(upload)
        return upload

    def copy(
        self, old: ObjectVersion, facts: Mapping[str, str], condition: Condition | None
    ) -> Written:
        body = self.read(old.key, old.version_id).body
        return self.put(old.key, body, old.content_type, facts=facts, condition=condition)

    def hide(self, key: str, condition: Holds | None = None) -> None:
        with self.lock:
            self._require(key, condition)
            self._add(key, None, "", {})

    def remove(self, versions: Iterable[tuple[str, str]]) -> Iterator[NotRemoved]:
        for key, version_id in versions:
            if (key, version_id) in self.holds:
                held = "it is held"
                yield NotRemoved(key, version_id, "Held", held, is_denied=True, kept_by=held)
                continue
            with self.lock:
                stored = self.objects.get(key, [])
                left = [each for each in stored if each.version.version_id != version_id]
                self.objects[key] = left
                if not left:
                    self.objects.pop(key)

    def facts_room(self, facts: Mapping[str, str]) -> int:
        return _MOST_FACTS - sum(len(name) + len(value) for name, value in facts.items())

    @contextmanager
    def sending(self, require: Callable[[], None]) -> Iterator[None]:
        yield

    def abandoned(self, prefix: str) -> Iterator[Abandoned]:
        for each in list(self.staged):
            if each.key.startswith(prefix):
                yield Abandoned(each.key, each.upload_id, each.begun_at)

    def discard(self, upload: Abandoned) -> None:
        self.staged = [each for each in self.staged if each.upload_id != upload.upload_id]

    def hold(self, key: str, version_id: str) -> None:
        self.holds.add((key, version_id))

    def release(self, key: str, version_id: str) -> None:
        self.holds.discard((key, version_id))

    def require_holds(self) -> None:
        """Do nothing: this store can hold versions."""

    def require_versioning(self) -> None:
        """Do nothing: this store keeps all versions."""

    def try_staging(self, key: str) -> None:
        self.stage(key, "").abort()

    def clock(self) -> datetime | None:
        return datetime.now(UTC)

    def require_version(self, version_id: str | None, key: str) -> str:
        if version_id is None or version_id == NULL_VERSION:
            raise BucketError(f"{self.uri(key)} is not a version")
        return version_id

    def _stored(self, key: str, version_id: str | None) -> _Stored | None:
        stored = self.objects.get(key, [])
        chosen = [each for each in stored if each.version.version_id == version_id]
        found = (chosen if version_id else stored)[-1:]
        return found[0] if found and found[0].body is not None else None

    def _require(self, key: str, condition: Condition | None) -> None:
        current = self._stored(key, None)
        token = current.version.token if current else None
        wanted = condition.token if isinstance(condition, Holds) else None
        if condition is not None and token != wanted:
            assert isinstance(condition, Holds | Absent)
            raise NotApplied(f"{self.uri(key)} holds {token}, not {wanted}")

    def _add(
        self, key: str, body: bytes | None, content_type: str, facts: Mapping[str, str]
    ) -> Written:
        version_id = f"v{next(self._numbers):09d}"
        version = ObjectVersion(
            key,
            version_id,
            version_id,
            len(body or b""),
            datetime.now(UTC),
            dict(facts),
            content_type,
        )
        self.objects.setdefault(key, []).append(_Stored(version, body))
        return Written(version_id, version_id)


class MemoryUpload:
    """A staged object of a MemoryStore."""

    def __init__(self, store: MemoryStore, key: str, content_type: str, upload_id: str) -> None:
        self._store, self._content_type = store, content_type
        self._facts: dict[str, str] = {}
        self._body = bytearray()
        self._open = True
        self.key, self.upload_id = key, upload_id
        self.begun_at = datetime.now(UTC)
        self.closed = False
        self.size = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._body).hexdigest()

    @property
    def takes_facts(self) -> bool:
        return True

    def describe(self, facts: Mapping[str, str]) -> None:
        self._facts |= facts

    def write(self, data: bytes | memoryview) -> int:
        self._body += data
        self.size = len(self._body)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def seal(self) -> None: ...

    def publish(self, condition: Condition | None) -> Written:
        if not self._open:
            raise StagingError(f"the upload of {self._store.uri(self.key)} has ended")
        if self not in self._store.staged:
            raise NotApplied("the upload is gone", upload_is_gone=True)
        written = self._store.put(
            self.key,
            bytes(self._body),
            self._content_type,
            facts=self._facts,
            condition=condition,
        )
        self._finish()
        return written

    def abort(self) -> None:
        if self._open:
            self._finish()

    def _finish(self) -> None:
        self._open = False
        self._store.staged = [each for each in self._store.staged if each is not self]
