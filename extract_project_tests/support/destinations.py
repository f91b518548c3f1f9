"""A second destination, `crm`, in a bucket of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from extract_project.settings import Settings, load_settings
from extract_project.store.folder import Folder, Location
from extract_project.store.s3.buckets import S3Buckets
from extract_project.store.stores import Stores
from extract_project_tests.conftest import Site
from extract_project_tests.support.buckets import Buckets


@contextmanager
def another_bucket(site: Site, buckets: Buckets, prefix: str = "inbound") -> Iterator[Folder]:
    """A folder in another bucket of the same server."""
    with buckets.lent(site.s3, "others") as bucket:
        yield Stores({"s3": S3Buckets(site.s3)}).folder(Location(bucket, prefix))


def settings_with(crm: Folder, site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a site that has this destination too."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EXTRACT_DESTINATIONS__CRM__URL", crm.uri)
    return load_settings()


def versions(folder: Folder, path: str) -> list[str]:
    """The VersionIds of a path in a folder, the newest first."""
    found = folder.store.history(folder.key(path))
    return [each.version_id for each in found if each.key == folder.key(path)]
