"""Several part objects, and the manifest object that makes them a version.

Each part is an upload of its own that stays incomplete until the whole result has been audited
(G1). Then they are completed, and the manifest, which names the versions that this gave, is put
under the condition that decides between runs. A part version that no manifest names means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from extract_project.errors import StagingError
from extract_project.manifest.split import Split
from extract_project.publish.clock import Clock
from extract_project.publish.formats.options import FileFormat
from extract_project.publish.output import Content, File
from extract_project.publish.parts import (
    Part,
    PartsManifest,
    current_versions,
    folder,
    hide_unnamed,
    load_manifest,
    part_key,
    sha256_of_parts,
    whole_key,
)
from extract_project.publish.receipt import Receipt
from extract_project.publish.upload import NotApplied, Target, Upload, Written, sweep
from extract_project.publish.versions import Version, find_version, list_versions

if TYPE_CHECKING:
    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

_MOST_PARTS = 10_000
_AT_A_TIME = 8
_JSON = "application/json"


class PartedOutput:
    """The result in part objects beside the published key, which is that of their manifest."""

    def __init__(
        self, s3: S3Client, target: Target, file_format: FileFormat, split: Split, clock: Clock
    ) -> None:
        self._s3, self._format, self._split, self._clock = s3, file_format, split, clock
        self._schema: pa.Schema | None = None
        self._metadata: Mapping[str, str] = {}
        self._files: list[File] = []
        self._open: File | None = None
        self._manifest = Upload(s3, target, _JSON)
        self.target = target

    def sweep(self, older_than: timedelta) -> None:
        bucket, key = self.target.bucket, self.target.key
        sweep(self._s3, bucket, folder(key), lambda each: whole_key(each) == key, older_than)

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._schema, self._metadata = schema, metadata

    def write(self, rows: pa.Table) -> None:
        start = 0
        while start < rows.num_rows:
            file = self._open = self._open or self._next()
            room = self._split.rows - file.rows if self._split.rows else None
            piece = rows.slice(start, room)
            file.write(piece)
            start += piece.num_rows
            if self._is_full(file):
                file.seal()
                self._open = None

    def seal(self) -> Content:
        if not self._files:  # a file with the full schema and no rows
            self._open = self._next()
        if self._open is not None:
            self._open.seal()
        return Content(
            self.target.key,
            sum(each.rows for each in self._files),
            sum(each.upload.size for each in self._files),
            sha256_of_parts(each.upload.sha256 for each in self._files),
            len(self._files),
        )

    def is_whole(self, version: Version) -> bool:
        """Not so where a run ended between its parts and its manifest: the versions that are
        named are then no longer the current ones of their keys, and may expire.
        """
        parts = load_manifest(self._s3, version).parts
        found = current_versions(self._s3, version.bucket, (part.key for part in parts))
        return [each and each.version_id for each in found] == [part.version_id for part in parts]

    def publish(self, receipt: Receipt, condition: Mapping[str, str]) -> Written:
        if not self._manifest.size:
            # Parts that would go to a manifest which is not published are better not completed.
            self._require(condition)
            self._list(receipt, self._completed(receipt))
        return self._manifest.publish(condition)

    def tidy(self, version_id: str) -> None:
        hide_unnamed(self._s3, self.target, version_id)

    def abort(self) -> None:
        self._manifest.abort()
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="abort") as pool:
            list(pool.map(lambda file: file.upload.abort(), self._files))

    def _next(self) -> File:
        number = len(self._files)
        if number == _MOST_PARTS:
            raise StagingError(
                f"'split' makes more than {_MOST_PARTS:,} parts of this result: "
                f"choose larger ones in the header"
            )
        key = part_key(self.target.key, number, self._format.extension)
        target = replace(self.target, key=key)
        # Hundreds of parts wait for the end of the audit: none of their bytes may wait in memory.
        upload = Upload(self._s3, target, self._format.content_type, hold_nothing=True)
        upload.describe(self._metadata)
        assert self._schema is not None
        file = File(upload, self._schema, self._format, self._clock)
        self._files.append(file)
        return file

    def _is_full(self, file: File) -> bool:
        if self._split.rows:
            return file.rows == self._split.rows
        return self._split.bytes is not None and file.upload.size >= self._split.bytes

    def _require(self, condition: Mapping[str, str]) -> None:
        current = find_version(self._s3, self.target.bucket, self.target.key)
        if condition.get("IfMatch") != (f'"{current.etag}"' if current else None):
            raise NotApplied("PreconditionFailed")

    def _completed(self, receipt: Receipt) -> list[Part]:
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="complete") as pool:
            return list(pool.map(lambda file: self._complete(file, receipt), self._files))

    def _complete(self, file: File, receipt: Receipt) -> Part:
        upload = file.upload
        try:
            version_id = upload.publish({}).version_id
        except NotApplied:
            # Gone, or completed by a request whose reply was lost.
            versions = list_versions(self._s3, self.target.bucket, upload.target.key)
            found = (v.version_id for v in versions if v.provenance.get("receipt") == receipt.id)
            own = next(found, None)
            if own is None:
                raise StagingError(
                    f"the upload of {upload.target.uri} was aborted by somebody else: run it again",
                    transient=True,
                ) from None
            version_id = own
        return Part(
            key=upload.target.key,
            version_id=version_id,
            bytes=upload.size,
            rows=file.rows,
            sha256=upload.sha256,
        )

    def _list(self, receipt: Receipt, parts: list[Part]) -> None:
        manifest = PartsManifest(
            extract=receipt.extract,
            partition=receipt.partition,
            run_id=receipt.run_id,
            receipt=receipt.id,
            sql_key=receipt.sql_key,
            sql_version=receipt.sql_version,
            query_id=receipt.query_id,
            code_version=receipt.code_version,
            started_at=receipt.started_at,
            rows=receipt.rows,
            bytes=receipt.bytes,
            data_sha256=receipt.data_sha256,
            arrow_schema=receipt.arrow_schema,
            parts=tuple(parts),
        )
        self._manifest.describe(self._metadata)
        self._manifest.describe({"rows": str(receipt.rows), "data-sha256": receipt.data_sha256})
        self._manifest.write(manifest.model_dump_json(indent=1).encode())
        self._manifest.seal()
