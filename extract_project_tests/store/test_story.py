"""The life of an extract in a store that is not S3: nothing but `store/` knows which it is."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract_project.errors import NotPublished
from extract_project.history import pins
from extract_project.history.history import chosen, read_history
from extract_project.history.reading import open_version
from extract_project.history.receipt import read_schema, receipt_of
from extract_project.history.retention import Rule, find_prunable, remove
from extract_project.history.versions import Version, published_key, require_version
from extract_project.manifest.bucket import find_extract, read_manifest
from extract_project.manifest.push import compare, push
from extract_project.manifest.snapshot import load_snapshot, save_snapshot
from extract_project.pipeline.attempt import attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project.store.destination import DATA
from extract_project.store.folder import Folder
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import DIALECTS
from extract_project_tests.support.memory_store import MemoryStore

HEADERS = {"one object": "", "parts": "/*---\nsplit: {rows: 2}\n---*/\n"}


class InMemory:
    """An installation in memory."""

    def __init__(self, directory: Path) -> None:
        self.store = MemoryStore("data")
        self.manifest = Folder.of(MemoryStore("sql"), "sql")
        self.data = Folder.of(self.store, "extracts")
        self.state = self.data / ".extract"
        self._file = directory / "orders.sql"

    def run(self, text: str) -> Published:
        """Push the SQL, and publish what it gives."""
        self._file.write_text(text)
        files = {"sales/orders.sql": self._file}
        changes = compare(self.manifest, files)
        deque(push(self.manifest, files, changes, delete=True), maxlen=0)
        extract = find_extract(self.manifest, "sales/orders", DIALECTS)
        done = attempt(
            DuckDBWarehouse(type="duckdb"),
            extract,
            [Place(DATA, Target.of(self.data, extract), self.state)],
            Provenance("run-1"),
            stop=Stop(extract.header.timeout),
        )
        return done.published

    @property
    def key(self) -> str:
        return published_key(self.data, "sales/orders")

    def version(self, version_id: str | None = None) -> Version:
        return require_version(self.store, self.key, version_id)

    def rows(self, version_id: str | None = None) -> list[int]:
        version = self.version(version_id)
        receipt = receipt_of(self.state, version)
        assert receipt is not None
        rows: list[int] = open_version(version, read_schema(receipt)).read_all()["n"].to_pylist()
        return rows

    def prune(self) -> list[str]:
        rule = Rule(keep=0, before=datetime.now(UTC) + timedelta(minutes=1))
        found = find_prunable(self.state, self.data, "sales/orders", rule)
        remove(self.store, found)
        return [each.stored.version_id for each in found if each.kind == "version"]


@pytest.fixture(params=HEADERS)
def header(request: pytest.FixtureRequest) -> str:
    return HEADERS[request.param]


def test_a_whole_life(tmp_path: Path, header: str) -> None:
    place = InMemory(tmp_path)
    with pytest.raises(NotPublished, match="memory://data/extracts/sales/orders has never been"):
        _ = place.key
    first, second, third = (
        place.run(f"{header}select n::bigint as n from range({rows}) t(n)") for rows in (3, 4, 5)
    )
    assert place.run(f"{header}select n::bigint as n from range(5) t(n)").outcome == "unchanged"
    assert (place.rows(), place.rows(first.version_id)) == ([0, 1, 2, 3, 4], [0, 1, 2])

    snapshot = read_manifest(place.manifest, DIALECTS)
    assert load_snapshot(place.state, save_snapshot(place.state, snapshot)) == snapshot

    order = Order(first.version_id, "wrong currency", "ada")
    target = Target(place.store, place.key)
    restored = restore(place.state, target, order).version
    assert place.rows() == [0, 1, 2]
    history = read_history(place.store, place.state, place.key)
    assert [version.version_id for version in history.versions] == [
        restored.version_id,
        *(each.version_id for each in (third, second, first)),
    ]
    previous = chosen(place.store, place.state, place.key, "previous")
    assert previous.listed.version_id == third.version_id

    pins.pin(place.state, place.version(second.version_id), "ada", "accounts")
    assert set(place.prune()) == {first.version_id, third.version_id}
    assert (place.rows(), place.rows(second.version_id)) == ([0, 1, 2], [0, 1, 2, 3])
    pins.unpin(place.state, place.version(second.version_id))
    assert place.prune() == [second.version_id]
    assert place.store.holds == set()
    assert place.store.staged == []
