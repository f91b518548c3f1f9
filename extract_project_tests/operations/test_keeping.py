"""The page that code locations share: each brings its own part up to date."""

from __future__ import annotations

import gzip

import pytest

from extract_project.errors import NotPublished
from extract_project.layout import OPERATIONS_KEPT, OPERATIONS_PAGE
from extract_project.operations.activity import Activity
from extract_project.operations.keeping import forget, keep, kept_activity
from extract_project_tests.conftest import Site
from extract_project_tests.support.mornings import (
    MANIFEST,
    OTHER_MANIFEST,
    ago,
    morning_part,
    other_part,
)


def page(site: Site) -> str:
    return site.body(site.data.key(OPERATIONS_PAGE)).decode()


def test_a_part_replaces_its_own_and_no_other(site: Site) -> None:
    keep(site.data, other_part(ago(minutes=9)))
    keep(site.data, morning_part(fine=1))
    keep(site.data, other_part(ago(minutes=2)))
    assert page(site).count("assets/crm/contacts") == 2, "in what needs attention, and the lines"
    assert "assets/sales/renamed" in page(site)
    assert kept_activity(site.data, MANIFEST) == morning_part(fine=1).activity
    assert set(kept_activity(site.data, OTHER_MANIFEST).bars) == {"crm/contacts"}
    assert kept_activity(site.data, "s3://acme-sql/new") == Activity()


def test_a_manifest_that_is_used_no_more_is_forgotten(site: Site) -> None:
    keep(site.data, other_part(ago(minutes=2)))
    keep(site.data, morning_part(fine=1))
    forget(site.data, OTHER_MANIFEST)
    assert "crm/contacts" not in page(site)
    assert "assets/sales/renamed" in page(site)
    with pytest.raises(NotPublished, match=f"{OTHER_MANIFEST} is not on the page"):
        forget(site.data, OTHER_MANIFEST)
    forget(site.data, MANIFEST)
    assert "Nothing: no extract has failed" in page(site)


def test_a_manifest_that_has_moved_leaves_no_part_behind(site: Site) -> None:
    moved = other_part(ago()).model_copy(update={"manifest": "s3://acme-new/sql"})
    keep(site.data, other_part(ago(minutes=9)))
    keep(site.data, moved)
    assert f"{OTHER_MANIFEST} ·" in page(site), "it may still be served"
    keep(site.data, other_part(ago(hours=3)))
    keep(site.data, moved)
    assert OTHER_MANIFEST not in page(site)


def test_a_document_cut_short_is_made_anew(site: Site) -> None:
    keep(site.data, morning_part(fine=1))
    whole = site.body(site.data.key(OPERATIONS_KEPT))
    key = site.data.key(OPERATIONS_KEPT)
    for body in (whole[:-20], gzip.compress(b"{}")):
        site.s3.put_object(Bucket=site.data.bucket, Key=key, Body=body)
        assert kept_activity(site.data, MANIFEST) == Activity()
