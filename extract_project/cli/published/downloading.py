"""Download published versions into files, and compare their checksums."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.progress import DownloadColumn, Progress

from extract_project.cli.console import err, transfer_columns
from extract_project.cli.published.saving import Place
from extract_project.errors import StagingError
from extract_project.history.versions import Version
from extract_project.store.protocol import Store

_CHUNK = 1 << 20
_RANGE = 8 << 20
"""Bytes per request, so that a broken request does not repeat the whole download."""


@dataclass(frozen=True)
class Download:
    """One object version, its destination, and its expected checksum."""

    key: str
    version_id: str
    bytes: int
    place: Place
    sha256: str | None
    codec: str | None = None
    """The compression to remove, or None."""


def download(version: Version, downloads: Sequence[Download]) -> None:
    """Download the files. Each gets its name when it is complete; StagingError if one is
    damaged."""
    with Progress(*transfer_columns(), DownloadColumn(), console=err) as progress:
        for each in downloads:
            task = progress.add_task(str(each.place), total=each.bytes)
            source = Verified(version.store, each)
            with each.place.opened() as file:
                for chunk in source.chunks():
                    file.write(chunk)
                    progress.update(task, completed=source.tell())
                source.verify()


class Verified(io.RawIOBase):
    """An object version as a stream of bytes that computes its checksum on the way."""

    def __init__(self, store: Store, download: Download) -> None:
        from extract_project.history.reading import ObjectFile

        self._file = ObjectFile(store, download.key, download.version_id, download.bytes)
        self._uri = f"{store.uri(download.key)} version {download.version_id}"
        self._download = download
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        size = self._file.readinto(buffer)
        self._digest.update(memoryview(buffer)[:size])
        return size

    def chunks(self) -> Iterator[bytes]:
        """The bytes for the file, decompressed if asked for."""
        import pyarrow as pa

        source = io.BufferedReader(self, _RANGE)
        codec = self._download.codec
        stream: Any = pa.input_stream(source, compression=codec) if codec else source
        while chunk := stream.read(_CHUNK):
            yield chunk

    def verify(self) -> None:
        """Raise StagingError unless everything has been read and has the published checksum."""
        expected, found = self._download.sha256, self._digest.hexdigest()
        if expected and expected != found:
            raise StagingError(
                f"{self._uri} is not the content that was published (sha256 {found}, expected "
                f"{expected}): it was replaced or damaged"
            )
