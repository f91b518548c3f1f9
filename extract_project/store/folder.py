"""Where things are: a location as it is written in settings, and a folder that is open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from extract_project.store.protocol import Store


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
        return Location(bucket, prefix.strip("/"))

    def __truediv__(self, path: str) -> Self:
        return replace(self, prefix=self.key(path))

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


@dataclass(frozen=True, kw_only=True)
class Folder(Location):
    """A location, and the store that has what lies below it."""

    store: Store = field(repr=False)

    @classmethod
    def of(cls, store: Store, prefix: str = "") -> Folder:
        return cls(store.name, prefix, store=store)

    @property
    def uri(self) -> str:
        return self.store.uri(self.prefix)

    def __str__(self) -> str:
        return self.uri
