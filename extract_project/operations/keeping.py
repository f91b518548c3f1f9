"""Where the page and what it is made from are kept: beside the catalogue, in the data bucket."""

from __future__ import annotations

import gzip
import zlib

from extract_project.layout import OPERATIONS_KEPT, OPERATIONS_PAGE
from extract_project.operations.activity import Activity
from extract_project.operations.page import page
from extract_project.operations.part import Part, Parts
from extract_project.store.folder import Folder
from extract_project.store.shared import SharedDocument


def kept_activity(data: Folder, manifest: str) -> Activity:
    """Return the activity last kept of a manifest; an empty one at first or of another release."""
    kept, _ = _DOCUMENT.kept(data)
    part = kept.of(manifest) if kept else None
    return part.activity if part else Activity()


def keep(data: Folder, part: Part) -> None:
    """Write the page with a new part. Raises StoreError."""
    _DOCUMENT.replace(data, lambda kept: (kept or Parts(parts=())).with_part(part))


def forget(data: Folder, manifest: str) -> None:
    """Remove the part of a manifest whose extracts are published no more. Raises StoreError, and
    NotPublished for one that is not there.
    """
    _DOCUMENT.forget(data, manifest)


def _read(body: bytes) -> Parts:
    try:
        return Parts.model_validate_json(gzip.decompress(body))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(str(error)) from None


def _write(parts: Parts) -> bytes:
    return gzip.compress(parts.model_dump_json(exclude_defaults=True).encode(), 6, mtime=0)


_DOCUMENT = SharedDocument(
    OPERATIONS_KEPT,
    "application/gzip",
    OPERATIONS_PAGE,
    "on the page",
    _read,
    _write,
    lambda parts: page(parts.parts),
)
