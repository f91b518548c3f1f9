"""New rows at two destinations, of which one fails at each request in turn: each row once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from extract_project.errors import ExtractError
from extract_project.history.versions import find_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.everywhere import PartlyPublished
from extract_project.publish.rollback import Order, restore
from extract_project.store.folder import Folder
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy
from extract_project_tests.support.attack.rig import impatient
from extract_project_tests.support.attack.two import Two, from_the
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.destinations import another_bucket

TEXT = """/*---
to: [{to}]
incremental: {{cursor: n, lag: 1}}
---*/
select n, word from events where :watermark is null or n >= :watermark order by n
"""


class Story:
    """Events that arrive between runs of one extract at two destinations."""

    def __init__(self, two: Two, path: Path) -> None:
        self.two, self._path, self.arrived = two, path, list[int]()
        self.execute("create table events (n integer, word varchar)")

    @property
    def extract(self) -> Extract:
        return self.two.site.extract("a/b", TEXT.format(to="data, crm"))

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self._path)) as connection:
            connection.execute(sql)

    def arrive(self, *numbers: int) -> None:
        self.arrived += numbers
        values = ", ".join(f"({n}, 'word {n}')" for n in numbers)
        self.execute(f"insert into events values {values}")

    def run(self) -> None:
        self.two.run(self.extract, "run")

    def rows(self, name: str) -> list[int]:
        return [int(n) for n in self.two.rows(name, self.extract).column("n").to_pylist()]

    def has_all(self, name: str) -> bool:
        return sorted(self.rows(name)) == sorted(self.arrived)


@pytest.fixture
def others(site: Site, buckets: Buckets) -> Iterator[Folder]:
    with another_bucket(site, buckets) as folder:
        yield folder


StoryOf = Callable[[str], Story]
"""Makes a story in which the destination of that name can be made to fail."""


@pytest.fixture
def story_of(site: Site, others: Folder, proxy: FaultProxy, tmp_path: Path) -> StoryOf:
    source = tmp_path / "source.duckdb"
    warehouse = DuckDBWarehouse(type="duckdb", path=str(source))

    def begin(spoilt: str) -> Story:
        return Story(Two(site, others, impatient(proxy.endpoint), spoilt, warehouse), source)

    return begin


@pytest.mark.soak
@pytest.mark.parametrize("spoilt", ["crm", "data"])
@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.LOST_REPLY])
def test_g2_one_destination_falls_behind_at_each_request_and_catches_up(
    proxy: FaultProxy, story_of: StoryOf, spoilt: str, fault: Fault
) -> None:
    story = story_of(spoilt)
    sound = "crm" if spoilt == "data" else "data"
    bucket = (story.two.site.data if spoilt == "data" else story.two.others).bucket
    story.arrive(1, 2)
    story.run()
    story.arrive(3, 4)
    with proxy.choosing(lambda _: None):
        story.run()
        requests = sum(each.bucket == bucket for each in proxy.seen)
    assert requests >= 6
    behind = 0
    for number in range(1, requests + 1):
        first = 10 * number
        story.arrive(first, first + 1)
        with proxy.choosing(from_the(number, fault, bucket)):
            try:
                story.run()
            except PartlyPublished as error:
                (lacking,) = (each for each in error.settled if each.published is None)
                assert lacking.place.destination == spoilt
        assert story.has_all(sound)
        came = story.rows(spoilt)
        behind += len(came) < len(story.arrived)
        assert sorted(came) == sorted(story.arrived)[: len(came)], "no gap"
        story.arrive(first + 2)
        story.run()
        assert story.has_all("data")
        assert story.has_all("crm")
    if fault is Fault.ACCESS_DENIED:
        assert behind > requests / 2
    assert [story.two.open_uploads(name) for name in ("data", "crm")] == [0, 0]


def test_without_new_rows_only_the_one_behind_gets_a_version(
    others: Folder, proxy: FaultProxy, story_of: StoryOf
) -> None:
    story = story_of("crm")
    story.arrive(1, 2)
    story.run()
    story.arrive(3, 4, 5, 6)
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    with proxy.choosing(down), pytest.raises(PartlyPublished):
        story.run()
    before = [story.two.versions(name, story.extract) for name in ("data", "crm")]
    story.run()
    after = [story.two.versions(name, story.extract) for name in ("data", "crm")]
    assert (before, after) == ([2, 1], [2, 2])
    assert story.rows("data") == story.rows("crm") == [1, 2, 3, 4, 5, 6]
    story.run()
    assert [story.two.versions(name, story.extract) for name in ("data", "crm")] == after


def test_a_destination_that_is_added_gets_all_rows_and_the_other_none_twice(
    site: Site, story_of: StoryOf
) -> None:
    story = story_of("")
    story.arrive(1, 2)
    alone = site.extract("a/b", TEXT.format(to="data"))
    story.two.run_at(["data"], alone)
    story.arrive(3)
    story.run()
    assert story.rows("data") == story.rows("crm") == [1, 2, 3]


def test_one_that_was_rolled_back_asks_again_and_the_other_adds_nothing_twice(
    story_of: StoryOf,
) -> None:
    story = story_of("")
    story.arrive(1, 2)
    story.run()
    place = story.two.place("crm", story.extract)
    first = find_version(place.target.store, place.target.key)
    assert first is not None
    story.arrive(3, 4, 5)
    story.run()
    restore(place.state, place.target, Order(first.version_id, "bad rows", "ana"))
    assert story.rows("crm") == [1, 2]
    story.arrive(6)
    story.run()
    assert story.rows("data") == story.rows("crm") == [1, 2, 3, 4, 5, 6]


def test_other_sql_at_one_destination_is_an_error_of_that_one(
    site: Site, others: Folder, proxy: FaultProxy, story_of: StoryOf
) -> None:
    """It failed when the other was published anew, by a full refresh with other SQL."""
    story = story_of("crm")
    story.arrive(1)
    story.run()
    changed = site.extract("a/b", TEXT.format(to="data, crm").replace("word", "upper(word) word"))
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    with proxy.choosing(down), pytest.raises(PartlyPublished):
        story.two.run(changed, "refresh", full_refresh=True)
    story.arrive(2)
    with pytest.raises(PartlyPublished, match=r"'crm'.*--full-refresh") as error:
        story.two.run(changed, "next")
    assert [each.published is None for each in error.value.settled] == [False, True]
    assert (story.rows("data"), story.rows("crm")) == ([1, 2], [1])
    story.two.run(changed, "refresh", full_refresh=True)
    assert story.rows("data") == story.rows("crm") == [1, 2]


def test_nothing_is_published_where_neither_can_be_looked_at(
    site: Site, others: Folder, proxy: FaultProxy, story_of: StoryOf
) -> None:
    story = story_of("crm")
    story.arrive(1)
    site.s3.put_bucket_versioning(
        Bucket=site.data.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    with (
        proxy.choosing(down),
        pytest.raises(ExtractError, match=r"(?s)destination 'data': .*destination 'crm': "),
    ):
        story.run()


def test_a_full_refresh_that_failed_at_one_is_not_forgotten(
    others: Folder, proxy: FaultProxy, story_of: StoryOf
) -> None:
    """The next run must not be green while one has the former history with new rows."""
    story = story_of("crm")
    story.arrive(1, 2)
    story.run()
    story.execute("update events set word = 'corrected' where n = 1")
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    with proxy.choosing(down), pytest.raises(PartlyPublished):
        story.two.run(story.extract, "refresh", full_refresh=True)
    for number in (3, 4):
        story.arrive(number)
        with pytest.raises(PartlyPublished, match=r"from before the full refresh.*--full-refresh"):
            story.run()
        assert story.has_all("data")
        assert story.rows("crm") == [1, 2]
    story.two.run(story.extract, "refresh", full_refresh=True)
    story.arrive(5)
    story.run()
    for name in ("data", "crm"):
        assert story.has_all(name)
        assert story.two.rows(name, story.extract)["word"][0].as_py() == "corrected"


def test_a_full_refresh_of_equal_rows_is_one_whenever_each_destination_got_it(
    others: Folder, proxy: FaultProxy, story_of: StoryOf
) -> None:
    story = story_of("crm")
    story.arrive(1)
    story.run()
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    story.execute("update events set word = 'corrected'")
    with proxy.choosing(down), pytest.raises(PartlyPublished):
        story.two.run(story.extract, "refresh", full_refresh=True)
    story.two.run(story.extract, "rerun", full_refresh=True)
    assert [story.two.versions(name, story.extract) for name in ("data", "crm")] == [2, 2]
    story.arrive(2)
    story.run()
    assert story.has_all("data")
    assert story.has_all("crm")
