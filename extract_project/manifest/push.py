"""From a folder of SQL files to the manifest bucket: what changed, and only that."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from extract_project.manifest.bucket import fetch_file, list_files
from extract_project.store.s3 import Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_A_TIME = 16


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
    """What a push would do.

    Content is compared by MD5, which is the ETag of a plain PUT; where it is another, the object
    itself is read: of one that is encrypted with a KMS key, the ETag is no MD5.
    """
    there = {manifest.relative(file.key): file for file in list_files(s3, manifest)}
    both = [name for name in files if name in there]

    def is_same(name: str) -> bool:
        content = files[name].read_bytes()
        if md5(content).hexdigest() == there[name].etag:
            return True
        fetched = fetch_file(s3, manifest, there[name])
        return fetched is not None and fetched.content == content

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        same = dict(zip(both, pool.map(is_same, both), strict=True))
    return Changes(
        added=tuple(name for name in files if name not in there),
        changed=tuple(name for name in both if not same[name]),
        removed=tuple(name for name in there if name not in files),
        same=tuple(name for name in both if same[name]),
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

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for name in pool.map(upload, changes.uploads):
            done(name)
    if delete:
        for name in changes.removed:
            s3.delete_object(Bucket=manifest.bucket, Key=manifest.key(name))
            done(name)
