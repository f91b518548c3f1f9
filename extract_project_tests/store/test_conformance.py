"""What every store has to do, asked of S3 (two servers) and of one that is not S3."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.errors import BucketError, NoSuchObject, StagingError, StoreRefused
from extract_project.store.protocol import Absent, Holds, NotApplied, Store
from extract_project.store.s3.client import connect
from extract_project.store.s3.store import S3Store
from extract_project_tests.conftest import S3_SERVERS
from extract_project_tests.support.memory_store import MemoryStore

TEXT = "text/plain"
KEY = "a/b.txt"
_numbers = count(1)
SIZES = [0, 11, (8 << 20) + 1]


@pytest.fixture(params=["memory", *S3_SERVERS])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store of each kind."""
    if request.param == "memory":
        return MemoryStore("data")
    server: S3Server = request.getfixturevalue(request.param)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"store-{next(_numbers)}"
    server.make_bucket(bucket)
    return S3Store(connect(), bucket)


def text(store: Store, key: str = KEY, version_id: str | None = None) -> str:
    return store.read(key, version_id).body.decode()


def test_an_object_is_found_with_all_that_was_written(store: Store) -> None:
    facts = {"run-id": "r1", "reason": "Zoë said: 100 % “yes”"}
    written = store.put(KEY, b"one", TEXT, facts=facts)
    found = store.find(KEY)
    assert found == store.find(KEY, written.version_id)
    assert found is not None
    assert (found.key, found.version_id, found.token) == (KEY, written.version_id, written.token)
    assert (found.size, dict(found.facts), found.content_type) == (3, facts, TEXT)
    assert abs((datetime.now(UTC) - found.modified).total_seconds()) < 60
    assert store.read(KEY).version_id == written.version_id
    assert store.read_range(KEY, written.version_id, 1, 3) == b"ne"


def test_what_is_not_there_is_not_found(store: Store) -> None:
    written = store.put(KEY, b"one", TEXT)
    assert store.find("a/c.txt") is None
    assert store.find(KEY, "no-such-version") is None
    with pytest.raises(NoSuchObject):
        store.read("a/c.txt")
    with pytest.raises(BucketError, match="read it again"):
        store.read_range(KEY, written.version_id, 0, 9)


def test_writing_again_keeps_the_version_before(store: Store) -> None:
    first, second = (store.put(KEY, body, TEXT) for body in (b"one", b"two"))
    assert text(store) == "two"
    assert text(store, version_id=first.version_id) == "one"
    assert [each.version_id for each in store.history(KEY)] == [
        second.version_id,
        first.version_id,
    ]


def test_a_condition_decides_whether_a_write_is_applied(store: Store) -> None:
    first = store.put(KEY, b"one", TEXT, condition=Absent())
    with pytest.raises(NotApplied):
        store.put(KEY, b"two", TEXT, condition=Absent())
    second = store.put(KEY, b"two", TEXT, condition=Holds(first.token))
    with pytest.raises(NotApplied):
        store.put(KEY, b"three", TEXT, condition=Holds(first.token))
    found = store.find(KEY)
    assert found is not None
    assert (text(store), found.version_id) == ("two", second.version_id)
    with pytest.raises(NotApplied):
        store.put("a/c.txt", b"one", TEXT, condition=Holds(first.token))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_staged_is_invisible_until_it_is_published(store: Store, size: int) -> None:
    staged = store.stage(KEY, TEXT)
    staged.describe({"run-id": "r1"})
    staged.write(b"x" * size)
    staged.seal()
    assert store.find(KEY) is None
    assert list(store.history("")) == []
    written = staged.publish(Absent())
    staged.abort()
    found = store.find(KEY)
    assert found is not None
    assert (found.version_id, found.size, found.facts["run-id"]) == (written.version_id, size, "r1")
    with pytest.raises(StagingError, match="has ended"):
        staged.publish(None)


@pytest.mark.parametrize("size", SIZES)
def test_a_refused_publish_is_tried_again_with_another_condition(store: Store, size: int) -> None:
    staged = store.stage(KEY, TEXT)
    staged.write(b"x" * size)
    staged.seal()
    other = store.put(KEY, b"other", TEXT)
    with pytest.raises(NotApplied) as refused:
        staged.publish(Absent())
    assert not refused.value.upload_is_gone
    assert text(store) == "other"
    staged.publish(Holds(other.token))
    assert len(store.read(KEY).body) == size


@pytest.mark.parametrize("size", SIZES)
def test_what_is_aborted_leaves_nothing(store: Store, size: int) -> None:
    staged = store.stage(KEY, TEXT, hold_nothing=True)
    staged.write(b"x" * size)
    staged.seal()
    assert [each.key for each in store.abandoned("a/")] == [KEY]
    staged.abort()
    staged.abort()
    assert list(store.abandoned("a/")) == []
    assert store.find(KEY) is None


def test_what_a_dead_process_staged_is_discarded(store: Store) -> None:
    staged = store.stage(KEY, TEXT, hold_nothing=True)
    staged.write(b"x")
    staged.seal()
    (left,) = store.abandoned("a/")
    assert abs((datetime.now(UTC) - left.begun_at).total_seconds()) < 60
    store.discard(left)
    store.discard(left)
    with pytest.raises(NotApplied) as refused:
        staged.publish(None)
    assert refused.value.upload_is_gone
    staged.abort()


def test_a_copy_is_a_new_version_with_facts_of_its_own(store: Store) -> None:
    store.put(KEY, b"one", TEXT, facts={"run-id": "r1"})
    old = store.find(KEY)
    assert old is not None
    second = store.put(KEY, b"two", TEXT)
    with pytest.raises(NotApplied):
        store.copy(old, {"run-id": "r3"}, Holds(old.token))
    assert list(store.abandoned("")) == []
    written = store.copy(old, {"run-id": "r3"}, Holds(second.token))
    found = store.find(KEY)
    assert found is not None
    assert (found.version_id, text(store)) == (written.version_id, "one")
    assert (dict(found.facts), found.content_type) == ({"run-id": "r3"}, TEXT)


def test_a_hidden_object_is_gone_and_its_history_stays(store: Store) -> None:
    first = store.put(KEY, b"one", TEXT)
    with pytest.raises(NotApplied):
        store.hide(KEY, Holds("another"))
    store.hide(KEY, Holds(first.token))
    assert store.find(KEY) is None
    assert list(store.list("a/")) == []
    assert text(store, version_id=first.version_id) == "one"
    last = store.put(KEY, b"two", TEXT)
    listed = list(store.history(KEY))
    assert [each.is_deleted for each in listed] == [False, True, False]
    assert [each.is_latest for each in listed] == [True, False, False]
    assert (listed[0].version_id, listed[2].version_id) == (last.version_id, first.version_id)
    assert (listed[0].size, listed[0].key) == (3, KEY)


def test_listings_have_what_begins_with_the_prefix(store: Store) -> None:
    for key in ("a/b.txt", "a/b.txt.old", "a/c/d.txt", "b/e.txt"):
        store.put(key, b"one", TEXT)
    assert [each.key for each in store.list("a/")] == ["a/b.txt", "a/b.txt.old", "a/c/d.txt"]
    assert [each.key for each in store.list("a/", recursive=False)] == ["a/b.txt", "a/b.txt.old"]
    assert {each.key for each in store.history("a/b")} == {"a/b.txt", "a/b.txt.old"}
    (only,) = (each for each in store.list("b/"))
    found = store.find("b/e.txt")
    assert found is not None
    assert only.token == found.token


def test_removed_versions_are_gone_for_good(store: Store) -> None:
    first, second = (store.put(KEY, body, TEXT) for body in (b"one", b"two"))
    assert list(store.remove([(KEY, first.version_id)])) == []
    assert [each.version_id for each in store.history(KEY)] == [second.version_id]
    assert store.find(KEY, first.version_id) is None


def test_facts_have_room_until_there_are_too_many(store: Store) -> None:
    assert store.facts_room({"reason": "short"}) > 0
    assert store.facts_room({"reason": "x" * 10_000}) < 0


def test_a_bucket_that_is_not_there_says_what_to_do(aws: object) -> None:
    store = S3Store(connect(), "no-such-bucket")
    with pytest.raises(BucketError, match="create it with versioning on"):
        store.require_versioning()
    with pytest.raises(StoreRefused) as refused:
        list(store.list(""))
    assert refused.value.code == "NoSuchBucket"
