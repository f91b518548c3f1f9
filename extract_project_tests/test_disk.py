"""The local disk is full: a limit of the process stands in for it, because mounting takes root."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from extract_project.errors import DiskFull
from extract_project.history.versions import find_version
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import ROWS, materialize

SPILLING = (
    "select count(*) from (select distinct md5(concat(i, k)) from result, range(4000) t(k)) "
    "having count(*) < 0"
)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel answers a write beyond it like one to a full disk, with another number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("rule", "rows"),
    [("unique: digest", 300_000), (f"sql: '{SPILLING}'", 1_000)],
    ids=["what the check reads again", "what its query spills"],
)
def test_g2_a_full_disk_is_named_and_the_published_version_stays(
    site: Site, rule: str, rows: int
) -> None:
    before = materialize(site, site.extract("a/b", ROWS.format(rows=10)))
    header = f"/*---\nchecks: [{{{rule}}}]\n---*/\n"
    extract = site.extract("a/b", header + ROWS.format(rows=rows))
    with (
        files_of_at_most(1 << 20),
        pytest.raises(DiskFull, match=r"extract-audit-\S+, where checks.* MiB are free: "),
    ):
        materialize(site, extract)
    target = site.target(extract)
    current = find_version(target.store, target.key)
    assert current is not None
    assert current.version_id == before.version_id
    assert site.open_uploads() == 0
