"""One published key under attack, with runs whose client retries only briefly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import pyarrow.compute as pc
import pytest

from extract_project import stopping
from extract_project.history.parts import (
    current_versions,
    is_manifest,
    list_parts,
    load_manifest,
    whole_key,
)
from extract_project.history.reading import open_version
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version, list_versions
from extract_project.manifest.extract import Extract
from extract_project.pipeline import attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published, settle
from extract_project.publish.target import Target
from extract_project.store.destination import DATA
from extract_project.store.s3 import upload as s3_upload
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Shape = Literal["one put", "multipart", "split"]
SHAPES: tuple[Shape, ...] = ("one put", "multipart", "split")
_ROWS = {"one put": 10, "multipart": 600, "split": 250}
_HEADERS = {"one put": "", "multipart": "compression: none", "split": "split: {rows: 100}"}
_LONG = {"one put": 1, "multipart": 300, "split": 1}
"""Times 32 bytes a row."""

SMALLEST_PART = 5 << 20
"""Of an upload, as S3 has it; with it, `multipart` results are of two parts."""


@contextmanager
def without_patience() -> Iterator[None]:
    """Retry without pauses, and make the parts of uploads as small as S3 allows."""
    from botocore.retries.standard import ExponentialBackoff

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_upload, "_FIRST_PART", SMALLEST_PART)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        yield


@contextmanager
def short_grace() -> Iterator[None]:
    """Give stopped work one second to clean up."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (stopping, attempt):
            patch.setattr(module, "GRACE_SECONDS", 1.0)
        yield


def impatient(endpoint: str, read_seconds: float = 60) -> S3Client:
    """Like `store.s3.client.connect`, with fewer attempts and shorter timeouts."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            read_timeout=read_seconds,
            max_pool_connections=32,
        ),
    )


def sql(shape: Shape, mark: int, rows: int | None = None, header: str = "") -> str:
    """SQL whose rows all contain `mark`; equal marks give equal content."""
    lines = [line for line in (_HEADERS[shape], header) if line]
    front = "\n".join(["/*---", *lines, "---*/"]) if lines else ""
    digest = f"repeat(md5((i + {mark})::varchar), {_LONG[shape]})"
    return (
        f"{front}\nselect i, {digest} as digest, {mark} as mark "
        f"from range({_ROWS[shape] if rows is None else rows}) t(i) order by i"
    )


@dataclass(frozen=True)
class Seen:
    """The content of a version as a reader sees it."""

    mark: int
    rows: int


@dataclass(frozen=True)
class Rig:
    """One extract of a site."""

    site: Site
    path: str
    shape: Shape

    @property
    def target(self) -> Target:
        name = "/_manifest.json" if self.shape == "split" else ".parquet"
        return Target(self.site.data.store, self.site.data.key(f"{self.path}{name}"))

    @contextmanager
    def staged(self, s3: S3Client, extract: Extract, run_id: str) -> Iterator[Staged]:
        warehouse, provenance = DuckDBWarehouse(type="duckdb"), Provenance(run_id)
        rig = replace(self, site=self.site.through(s3))
        with stage(
            warehouse, extract, [Place(DATA, rig.target, rig.site.state)], provenance
        ) as staged:
            yield staged

    def run(self, s3: S3Client, extract: Extract, run_id: str) -> Published:
        with self.staged(s3, extract, run_id) as staged:
            return settle(self.site.through(s3).state, staged, extract.header)

    def current(self) -> Version | None:
        return find_version(self.target.store, self.target.key)

    def versions(self) -> list[Version]:
        """The newest first."""
        return list(list_versions(self.target.store, self.target.key))

    def receipt(self, version: Version) -> Receipt:
        """Every version must have one (G10)."""
        receipt = receipt_of(self.site.state, version)
        assert receipt is not None, f"{version.uri} has no receipt"
        return receipt

    def read(self, version: Version) -> Seen:
        """Read a version; it must be complete, audited and of one run (G1, G10)."""
        receipt = self.receipt(version)
        if is_manifest(version.key):
            manifest = load_manifest(version)
            for part in manifest.parts:
                body = self.site.body(part.key, part.version_id)
                assert (len(body), sha256(body).hexdigest()) == (part.bytes, part.sha256)
            assert manifest.data_sha256 == receipt.data_sha256
        else:
            body = self.site.body(version.key, version.version_id)
            assert sha256(body).hexdigest() == receipt.data_sha256
        table = open_version(version).read_all()
        assert table.num_rows == receipt.rows
        found = re.search(r"(\d+) as mark", receipt.sql)
        assert found is not None
        mark = int(found.group(1))
        assert set(pc.unique(table["mark"]).to_pylist()) <= {mark}
        return Seen(mark, table.num_rows)

    def has_part_of(self, run_id: str) -> bool:
        """Whether a run has completed a part that is now the current version of its key."""
        if not is_manifest(self.target.key):
            return False
        lying = list_parts(self.target.store, self.target.key, self.site.data.prefix)
        parts = current_versions(self.target.store, lying)
        return any(part and part.provenance["run-id"] == run_id for part in parts)

    def open_uploads(self) -> dict[str, str]:
        """Of this key and its parts: UploadId and key."""
        reply = self.site.s3.list_multipart_uploads(Bucket=self.target.store.name)
        uploads = {each["UploadId"]: each["Key"] for each in reply.get("Uploads", [])}
        return {id: key for id, key in uploads.items() if whole_key(key) == self.target.key}

    def abort_open_uploads(self) -> None:
        """Abort them, as a sweep does once they are old enough."""
        for upload_id, key in self.open_uploads().items():
            self.site.s3.abort_multipart_upload(
                Bucket=self.target.store.name, Key=key, UploadId=upload_id
            )

    def assert_tidy(self) -> None:
        """Check that a listing shows exactly the part versions that the manifest names."""
        assert self.open_uploads() == {}
        version = self.current()
        if version is None or not is_manifest(version.key):
            return
        named = load_manifest(version).parts
        lying = list(list_parts(version.store, version.key, self.site.data.prefix))
        assert lying == [part.key for part in named]
        heads = current_versions(version.store, lying)
        assert [head and head.version_id for head in heads] == [p.version_id for p in named]
