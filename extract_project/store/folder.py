"""Locations as written in settings, and folders: locations with their store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from extract_project.store.protocol import Store
from extract_project.store.schemes import SCHEMES


@dataclass(frozen=True)
class Location:
    """A bucket and a prefix in it; the prefix has no slash at either end and may be empty."""

    bucket: str
    prefix: str = ""
    scheme: str = "s3"
    """The scheme of the bucket's store."""

    @classmethod
    def parse(cls, uri: str) -> Location:
        """Read `s3://bucket/prefix`; raises ValueError that says what was expected."""
        scheme, _, rest = uri.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme not in SCHEMES or not bucket:
            forms = " or ".join(f"{known}://bucket/prefix" for known in SCHEMES)
            raise ValueError(f"{uri!r} is not a location: expected {forms}")
        return Location(bucket, prefix.strip("/"), scheme)

    def __truediv__(self, path: str) -> Self:
        return replace(self, prefix=self.key(path))

    def key(self, path: str) -> str:
        """The object key of `path` below this location."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def relative(self, key: str) -> str:
        """The path below this location of an object key."""
        return key[len(self.prefix) + 1 :] if self.prefix else key

    def is_beside(self, other: Location) -> bool:
        """Whether both are in the same bucket."""
        return (self.scheme, self.bucket) == (other.scheme, other.bucket)

    def overlaps(self, other: Location) -> bool:
        """Whether one of them lies in the other."""
        mine, theirs = self.key(""), other.key("")
        return self.is_beside(other) and (mine.startswith(theirs) or theirs.startswith(mine))

    @property
    def uri(self) -> str:
        bucket = f"{self.scheme}://{self.bucket}"
        return f"{bucket}/{self.prefix}" if self.prefix else bucket

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, kw_only=True)
class Folder(Location):
    """A location, with its store."""

    store: Store = field(repr=False)

    @classmethod
    def of(cls, store: Store, prefix: str = "") -> Folder:
        return cls(store.name, prefix, store.uri().partition("://")[0], store=store)

    @property
    def uri(self) -> str:
        return self.store.uri(self.prefix)

    def __str__(self) -> str:
        return self.uri
