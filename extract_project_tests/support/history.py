"""Make versions of one key, and read its history."""

from __future__ import annotations

from itertools import count

from extract_project.history.history import Entry, read_history
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize

_numbers = count()

KEY = "extracts/a/b.parquet"


def publish(site: Site, text: str) -> str:
    return materialize(site, site.extract("a/b", text)).version_id


def delete(site: Site) -> str:
    return site.s3.delete_object(Bucket=site.data.bucket, Key=KEY)["VersionId"]


def entries(site: Site, limit: int | None = None) -> list[Entry]:
    history = read_history(site.data.store, site.state, KEY, limit=limit)
    return list(history.entries)


def publish_another(site: Site, path: str = "a/b", text: str | None = None) -> str:
    """Publish one more version."""
    text = text or f"select {next(_numbers)} as n"
    return materialize(site, site.extract(path, text)).version_id
