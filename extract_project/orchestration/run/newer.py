"""Say in a run's log that the bucket holds newer SQL than the run executes.

A run executes the SQL that it was launched with (G3). Whoever pushed a fix while the run waited in
the queue, or launched the run before the fix was loaded, must see that this run does not have the
fix.
"""

from __future__ import annotations

import logging

from extract_project.manifest.extract import Extract
from extract_project.prefetch import in_thread
from extract_project.source import SqlSource
from extract_project.store.folder import Folder

_SECONDS = 2
"""The seconds after which the run goes on without an answer."""


def newer_sql(manifest: Folder, extract: Extract) -> list[str]:
    """Name the files of the extract that the bucket has in a newer version; one HEAD each."""
    sources = [extract.source, *(each.source for each in extract.defaults)]
    try:
        found = in_thread(
            "looking for newer SQL",
            lambda: [_newer(manifest, source) for source in sources],
            _SECONDS,
        )
    except Exception as error:  # of any kind: the run does not depend on it
        logging.getLogger(__name__).info("whether there is newer SQL is unknown: %r", error)
        return []
    return [each for each in found if each]


def _newer(manifest: Folder, source: SqlSource) -> str:
    current = manifest.store.find(source.key)
    uri, this = manifest.store.uri(source.key), source.version_id or "of before"
    if current is None:
        return f"{uri} was removed meanwhile; this run executes version {this}"
    if current.token == source.etag:
        return ""
    return (
        f"{uri} has a newer version {current.version_id}, written {current.modified:%F %T} UTC; "
        f"this run executes version {this}: run the extract again for the newer one"
    )
