"""Where the page and what it is made from are kept: beside the catalogue, in the data bucket."""

from __future__ import annotations

import gzip

from pydantic import ValidationError

from extract_project.errors import NoSuchObject
from extract_project.layout import OPERATIONS_KEPT, OPERATIONS_PAGE
from extract_project.operations.activity import Activity
from extract_project.operations.page import page
from extract_project.status.facts import Facts
from extract_project.store.folder import Folder


def kept_activity(data: Folder) -> Activity:
    """The activity as it was last kept; none at first, or if another release wrote it."""
    try:
        body = data.store.read(data.key(OPERATIONS_KEPT)).body
        return Activity.model_validate_json(gzip.decompress(body))
    except (NoSuchObject, ValidationError, gzip.BadGzipFile):
        return Activity()


def keep(data: Folder, facts: Facts, activity: Activity) -> None:
    """Write the page, and what the next one is made from. Raises StoreError."""
    kept = gzip.compress(activity.model_dump_json(exclude_defaults=True).encode(), 6, mtime=0)
    data.store.put(data.key(OPERATIONS_KEPT), kept, "application/gzip")
    data.store.put(data.key(OPERATIONS_PAGE), page(facts, activity), "text/html; charset=utf-8")
