"""What a key has held, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial, partialmethod

import pytest

from extract_project.errors import NotPublished
from extract_project.history.history import as_of, chosen, read_history
from extract_project.history.versions import list_history, published_key
from extract_project.units import parse_moment
from extract_project_tests.conftest import Site
from extract_project_tests.support.history import KEY, delete, entries, publish
from extract_project_tests.support.publishing import materialize
from extract_project_tests.support.waiting import await_next_second

pytestmark = pytest.mark.each_s3_server


def test_each_version_is_compared_with_the_one_before_it(site: Site) -> None:
    first = publish(site, "select n from range(3) t(n)")
    second = publish(site, "select n from range(5) t(n)")
    third = publish(site, "/* why */ select n, n as m from range(5) t(n)")
    found = entries(site)
    assert [entry.listed.version_id for entry in found] == [third, second, first]
    assert [entry.is_current for entry in found] == [True, False, False]
    changes = [(e.change.rows, e.change.sql, e.change.schema) for e in found]
    assert changes == [(0, True, True), (2, True, False), (None, None, None)]
    limited = read_history(site.data.store, site.state, KEY, limit=2)
    assert limited.older == 1
    assert [entry.change.rows for entry in limited.entries] == [0, 2]


def test_comments_are_no_other_sql(site: Site) -> None:
    publish(site, "/*---\nunchanged: publish\n---*/\nselect 1 as one")
    publish(site, "/*---\nunchanged: publish\n---*/\n-- why\nselect 1 as one")
    assert entries(site)[0].change.sql is False


def test_other_keys_that_begin_alike_are_not_its_history(site: Site) -> None:
    first = publish(site, "select 1 as one")
    for key in (f"{KEY}.bak", f"{KEY}2"):
        site.s3.put_object(Bucket=site.data.bucket, Key=key, Body=b"x")
    assert [entry.listed.version_id for entry in entries(site)] == [first]


def test_what_was_current_at_a_moment(site: Site) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    first = publish(site, "select 1 as n")
    with_first = await_next_second()
    marker = delete(site)
    deleted = await_next_second()
    second = publish(site, "select 2 as n")
    found = entries(site)
    assert [entry.listed.version_id for entry in found] == [second, marker, first]
    assert [entry.version is None for entry in found] == [False, True, False]
    where = (site.data.store, site.state, KEY)
    assert as_of(*where, with_first).listed.version_id == first
    assert as_of(*where, datetime.now(UTC)).listed.version_id == second
    assert as_of(*where, found[2].at).listed.version_id == first  # the time that people see
    with pytest.raises(NotPublished, match=r"nothing was current at .* was deleted at"):
        as_of(*where, deleted)
    with pytest.raises(NotPublished, match="had no version yet"):
        as_of(*where, before)


def test_the_time_that_is_shown_of_a_version_is_one_at_which_it_was_current(site: Site) -> None:
    """Servers that list milliseconds said `had no version yet` of that very time."""
    where = (site.data.store, site.state, KEY)
    made = []
    for number in range(3):
        made.append(publish(site, f"select {number} as n"))
        await_next_second()
    for entry, version_id in zip(entries(site), reversed(made), strict=True):
        shown = parse_moment(f"{entry.at:%Y-%m-%d %H:%M:%S}")
        for moment in (shown, entry.at, shown + timedelta(milliseconds=999)):
            assert as_of(*where, moment).listed.version_id == version_id
        assert chosen(*where, f"{entry.at:%Y-%m-%d %H:%M:%S}").listed.version_id == version_id
    with pytest.raises(NotPublished, match="had no version yet"):
        as_of(*where, entries(site)[-1].at - timedelta(milliseconds=1))


@pytest.mark.parametrize("around", [False, True])
def test_what_happens_within_a_second_is_listed_in_its_order(site: Site, around: bool) -> None:
    """The delete marker between two versions was shown as the oldest entry."""
    other = [publish(site, "select 0 as n")] if around else []
    await_next_second()
    body = site.body(KEY) if around else b"x"

    def put() -> str:
        return site.s3.put_object(Bucket=site.data.bucket, Key=KEY, Body=body)["VersionId"]

    made = [*other, put(), delete(site), put(), put(), delete(site), delete(site), put(), put()]
    if around:
        await_next_second()
        made += [delete(site), publish(site, "select 2 as n"), delete(site)]
    found = entries(site)
    assert [entry.listed.version_id for entry in found] == made[::-1]
    assert found[0].listed.is_latest


def test_versions_and_markers_of_a_second_over_several_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = partial(site.s3.put_object, Bucket=site.data.bucket, Key=KEY, Body=b"x")
    made = [
        each for _ in range(3) for each in (put()["VersionId"], delete(site), put()["VersionId"])
    ]
    listing = site.s3.get_paginator("list_object_versions")
    monkeypatch.setattr(
        type(listing),
        "paginate",
        partialmethod(type(listing).paginate, PaginationConfig={"PageSize": 2}),
    )
    listed = list(list_history(site.data.store, KEY))
    assert [each.version_id for each in listed] == made[::-1]


def test_a_version_counts_from_when_it_was_whole(site: Site) -> None:
    """Amazon dates an object of several parts to when its upload began; this server does not."""
    publish(site, "select 1 as n")
    (entry,) = entries(site)
    assert entry.receipt is not None
    begun = replace(entry.listed, modified=entry.listed.modified - timedelta(hours=1))
    assert replace(entry, listed=begun).at == entry.receipt.finished_at.replace(microsecond=0)


def test_versions_by_name(site: Site) -> None:
    where = (site.data.store, site.state, KEY)
    with pytest.raises(NotPublished, match="has no version: see"):
        chosen(*where, "previous")
    first = publish(site, "select 1 as n")
    with pytest.raises(NotPublished, match="only one version"):
        chosen(*where, "previous")
    second = publish(site, "select 2 as n")
    named = [chosen(*where, word).listed.version_id for word in ("current", "previous", first)]
    assert named == [second, first, first]
    differ = next(at for at, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    for beginning in (first[: differ + 1], f"{first[:-1]}…"):
        assert chosen(*where, beginning).listed.version_id == first
    if differ:  # two random ids may have no beginning in common
        with pytest.raises(NotPublished, match=r"2 versions of .* begin with"):
            chosen(*where, first[:differ])
    marker = delete(site)
    assert chosen(*where, "previous").listed.version_id == second
    with pytest.raises(NotPublished, match="it was deleted"):
        chosen(*where, "current")
    with pytest.raises(NotPublished, match="delete marker"):
        chosen(*where, marker)
    for word in ("nonsense", "67143d", "671435908999d", "67141123", "99999999999999999999d"):
        with pytest.raises(NotPublished, match=f"has no version '{word}'"):
            chosen(*where, word)


def test_the_key_is_found_without_the_sql_file(site: Site) -> None:
    publish(site, "select 1 as one")
    materialize(site, site.extract("a/b_more", "select 1 as one"))
    assert published_key(site.data, "a/b") == KEY
    delete(site)
    assert published_key(site.data, "a/b") == KEY
    await_next_second()
    materialize(site, site.extract("a/b", "/*---\nformat: csv\n---*/\nselect 1 as one"))
    assert published_key(site.data, "a/b") == "extracts/a/b.csv.gz"
    await_next_second()
    publish(site, "select 2 as one")
    await_next_second()
    site.s3.delete_object(Bucket=site.data.bucket, Key="extracts/a/b.csv.gz")
    assert published_key(site.data, "a/b") == KEY, "what has been tidied away is gone"
    with pytest.raises(NotPublished, match="never been published"):
        published_key(site.data, "a/c")


NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", datetime(2026, 1, 30, 12, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 06:00:01", datetime(2026, 1, 31, 6, 0, 1, tzinfo=UTC)),
        ("2026-01-31T06:00+02:00", datetime(2026, 1, 31, 4, tzinfo=UTC)),
        ("2026-01-31T06:00Z", datetime(2026, 1, 31, 6, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


def test_what_is_no_moment_says_what_is() -> None:
    with pytest.raises(ValueError, match="as in 24h"):
        parse_moment("yesterday")
