"""From a folder of SQL files to the manifest bucket: what changed, and only that."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from extract_project.manifest.bucket import list_files
from extract_project.s3 import Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WRITERS = 16


@dataclass(frozen=True)
class Changes:
    """Paths below the manifest prefix, with `.sql`."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    same: tuple[str, ...]

    @property
    def uploads(self) -> tuple[str, ...]:
        return (*self.added, *self.changed)


def compare(s3: S3Client, manifest: Location, files: dict[str, Path]) -> Changes:
    """What a push would do. Content is compared by MD5, which is the ETag of a plain PUT."""
    there = {manifest.relative(file.key): file.etag for file in list_files(s3, manifest)}
    digests = {name: md5(path.read_bytes()).hexdigest() for name, path in files.items()}
    return Changes(
        added=tuple(name for name in files if name not in there),
        changed=tuple(n for n in files if n in there and there[n] != digests[n]),
        removed=tuple(name for name in there if name not in files),
        same=tuple(name for name in files if there.get(name) == digests[name]),
    )


def push(
    s3: S3Client,
    manifest: Location,
    files: dict[str, Path],
    changes: Changes,
    *,
    delete: bool,
    done: Callable[[str], None],
) -> None:
    """Upload what is new or changed; with `delete`, remove what the folder does not have.

    `done` is called with each path when it is there (or gone).
    """

    def upload(name: str) -> str:
        s3.put_object(
            Bucket=manifest.bucket,
            Key=manifest.key(name),
            Body=files[name].read_bytes(),
            ContentType="application/sql",
        )
        return name

    with ThreadPoolExecutor(_WRITERS) as pool:
        for name in pool.map(upload, changes.uploads):
            done(name)
    if delete:
        for name in changes.removed:
            s3.delete_object(Bucket=manifest.bucket, Key=manifest.key(name))
            done(name)
