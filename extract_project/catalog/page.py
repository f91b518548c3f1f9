"""The catalogue as one HTML page that needs no server: everything that it shows is in it.

The page lists the extracts from an index, and unpacks what it shows of one when a reader opens it.
Both are JSON, compressed, in base64: a catalogue of 5,000 extracts stays a few megabytes, and the
browser does not parse extracts that are not opened.
"""

from __future__ import annotations

import base64
import gzip
import json
from importlib import resources
from typing import Any

from extract_project.catalog.model import Catalog, CatalogEntry
from extract_project.catalog.recipes import VERSION, recipes

_TOGETHER = 100
"""The number of extracts that are unpacked together."""


def page(catalog: Catalog) -> bytes:
    """`index.html`."""
    entries = catalog.extracts
    index = {
        "data": catalog.data,
        "manifests": [each.model_dump(mode="json") for each in catalog.manifests],
        "placeholder": VERSION,
        "together": _TOGETHER,
        "extracts": [_summary(entry) for entry in entries],
    }
    parts = [_block("index", index)]
    parts.append(_block("defaults", {each.uri: each.model_dump() for each in catalog.defaults}))
    for start in range(0, len(entries), _TOGETHER):
        details = [_detail(each, catalog.data) for each in entries[start : start + _TOGETHER]]
        parts.append(_block(f"details-{start // _TOGETHER}", details))
    return _template().replace(b"<!-- data -->", b"\n".join(parts))


def _summary(entry: CatalogEntry) -> dict[str, Any]:
    """An extract in the list: what is shown and searched."""
    published = entry.published
    return {
        "path": entry.path,
        "manifest": entry.manifest,
        "description": entry.description,
        "owners": entry.owners,
        "tables": entry.reads,
        "consumers": entry.consumers,
        "columns": [column.name for column in (published or entry).columns],
        "published_at": published.versions[0].published_at.isoformat() if published else None,
        "rows": published.versions[0].rows if published else None,
        "freshness_seconds": entry.freshness_seconds,
        "enabled": entry.enabled,
        "invalid": bool(entry.problems),
    }


def _detail(entry: CatalogEntry, data: str) -> dict[str, Any]:
    if entry.published:
        newest = entry.published.model_copy(update={"columns": entry.published_columns})
        entry = entry.model_copy(update={"published": newest})
    return {
        **entry.model_dump(mode="json"),
        "recipes": [vars(recipe) for recipe in recipes(entry, data)],
    }


def _block(name: str, content: Any) -> bytes:
    packed = gzip.compress(json.dumps(content, separators=(",", ":")).encode(), 6, mtime=0)
    data = base64.b64encode(packed)
    return b'<script type="application/gzip" id="' + name.encode() + b'">' + data + b"</script>"


def _template() -> bytes:
    return resources.files("extract_project.catalog").joinpath("page.html").read_bytes()
