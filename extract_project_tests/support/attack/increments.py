"""One incremental key while events arrive, on time, late and twice, and runs do what they do.

Whatever was published, killed, rolled back, deleted or refreshed before: a version holds each event
that had arrived when its run asked, once; a run that nobody disturbs publishes them all; and where
two runs would add to the same rows, one of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    rule,
)

from extract_project.errors import ExtractError, StagingError, Superseded
from extract_project.history.parts import load_manifest
from extract_project.history.reading import open_version
from extract_project.history.receipt import save_receipt
from extract_project.history.versions import find_version
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.store.destination import DATA
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.machine import (
    FAULTS,
    History,
    KeyMachine,
    StagedRun,
    those,
)
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import Rig

_LAG_MINUTES = 60
_SQL = """/*---
incremental: {cursor: seen, lag: 60m}
split: {rows: 4}
---*/
select n, seen from events where :watermark is null or seen >= :watermark order by seen, n
"""
_FIRST = datetime(2026, 1, 1)
_MINUTES = st.lists(
    st.one_of(st.just(0), st.integers(-_LAG_MINUTES, -1), st.integers(1, 90)), max_size=4
)
"""The batches that arrive: ties, late events, new events, or none."""

_ANEW = st.sampled_from([False, False, False, True])


@dataclass(eq=False)
class Run(StagedRun):
    """A run that is staged."""

    events: int
    """The number of events that had arrived when it queried."""
    base: Fact | None
    """The version that it adds to."""
    before: int
    """The number of runs that had tried to publish."""


@dataclass(frozen=True)
class Fact:
    """A version that exists, and must never change."""

    version_id: str
    number: int
    events: int


@dataclass
class Source:
    """A table of events, numbered as they arrive."""

    path: Path
    minutes: list[int] = field(default_factory=list)
    """The cursor of each."""

    def __post_init__(self) -> None:
        self._execute("create table events (n integer, seen timestamp)")

    def arrive(self, minutes: list[int]) -> None:
        """Add events, each so many minutes after the latest one; negative: before it."""
        first = len(self.minutes)
        for each in minutes:
            self.minutes.append(max(self.minutes, default=0) + each)
        values = [
            f"({n}, '{_FIRST + timedelta(minutes=seen)}')"
            for n, seen in enumerate(self.minutes[first:], first)
        ]
        if values:
            self._execute(f"insert into events values {', '.join(values)}")

    def highest(self, events: int) -> datetime | None:
        """The highest cursor among the first `events` events."""
        arrived = self.minutes[:events]
        return _FIRST + timedelta(minutes=max(arrived)) if arrived else None

    def _execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)


class IncrementalKey(KeyMachine[Run, Fact]):
    """The rules; `incremental_key` says where."""

    new_source: Callable[[], Source]

    attempts: Bundle[Run] = Bundle("attempts")
    versions: Bundle[Fact] = Bundle("versions")

    def __init__(self) -> None:
        self.model = History[Fact]()
        super().__init__(self.model)
        self.source = type(self).new_source()
        self.tries = 0

    def begun(self, *, anew: bool) -> Run:
        self.number += 1
        rig, before = self.rig, self.rig.open_uploads().keys()
        provenance = Provenance(f"run-{self.number}", full_refresh=anew)
        warehouse = DuckDBWarehouse(type="duckdb", path=str(self.source.path))
        stack = ExitStack()
        extract = rig.site.extract(rig.path, _SQL)
        through = rig.site.through(self.s3)
        target = Target(through.data.store, rig.target.key)
        staging = stage(warehouse, extract, [Place(DATA, target, through.state)], provenance)
        staged = stack.enter_context(staging)
        attempt = Run(
            self.number,
            extract,
            staged,
            stack,
            frozenset(rig.open_uploads().keys() - before),
            events=len(self.source.minutes),
            base=self.model.current if staged.appends else None,
            before=self.tries,
        )
        self.living.append(attempt)
        return attempt

    def settled(self, attempt: Run) -> Published:
        self.tries += 1
        return super().settled(attempt)

    def published(self, attempt: Run) -> Fact | None:
        """Publish, and compare the outcome with what is current."""
        current, made = self.model.current, None
        try:
            made = self.settled(attempt)
        except Superseded:
            assert current is not None
            assert current.number > attempt.number
        except StagingError:
            rebased = attempt.staged.appends and attempt.base is not current
            # A run that began beside it numbers its parts alike, and may have taken a key; one that
            # begins again sees that.
            overtaken = self.tries - 1 > attempt.before
            if not (rebased or overtaken or attempt.is_swept):
                raise
        finally:
            self.ended(attempt)
        return self.judged(attempt, made, current)

    def judged(self, attempt: Run, made: Published | None, current: Fact | None) -> Fact | None:
        """Record what a run did to `current`."""
        if made is None:
            return None
        if made.outcome == "unchanged":
            assert current is not None
            assert (made.version_id, attempt.events) == (current.version_id, current.events)
            return None
        assert current is None or current.number < attempt.number, "older data replaced newer"
        assert not attempt.staged.appends or attempt.base is current, "rows of another run are lost"
        fact = Fact(made.version_id, attempt.number, attempt.events)
        self.model.add(fact)
        return fact

    @initialize(target=versions, minutes=_MINUTES)
    def first_run(self, minutes: list[int]) -> Any:
        return self.run(minutes, anew=False)

    @rule(target=attempts, minutes=_MINUTES, anew=_ANEW)
    def begin(self, minutes: list[int], anew: bool) -> Run:
        self.source.arrive(minutes)
        return self.begun(anew=anew)

    @rule(target=versions, attempt=consumes(attempts))
    def publish(self, attempt: Run) -> Any:
        return those(self.published(attempt))

    @rule(target=versions, slow=consumes(attempts), fast=consumes(attempts))
    def publish_meanwhile(self, slow: Run, fast: Run) -> Any:
        """A slow run has completed its parts; a fast one publishes before the slow one's
        manifest.
        """
        assume(slow is not fast)
        added: list[Fact | None] = []
        made: Published | None = None

        def choose(request: Request) -> Fault | None:
            if request.publishes(self.rig.target.key) and fast in self.living:
                added.append(self.published(fast))
            return None

        with self.proxy.choosing(choose):
            try:
                made = self.settled(slow)
            except (Superseded, StagingError):
                pass
            finally:
                self.ended(slow)
        added.append(self.judged(slow, made, self.model.current))
        if fast in self.living:
            added.append(self.published(fast))
        return those(*added)

    @rule(target=versions, minutes=_MINUTES, anew=_ANEW)
    def run(self, minutes: list[int], anew: bool) -> Any:
        """A run from beginning to end, undisturbed. It must publish every event."""
        self.source.arrive(minutes)
        fact = self.published(self.begun(anew=anew))
        assert self.model.current is not None
        assert self.model.current.events == len(self.source.minutes)
        return those(fact)

    @rule(target=versions, before=_MINUTES, between=_MINUTES, anew=_ANEW, in_order=st.booleans())
    def race(self, before: list[int], between: list[int], anew: bool, in_order: bool) -> Any:
        """Two runs; the second begins while the first is under way."""
        self.source.arrive(before)
        first = self.begun(anew=anew)
        self.source.arrive(between)
        both = [first, self.begun(anew=False)]
        added = [self.published(each) for each in (both if in_order else both[::-1])]
        return those(*added)

    @rule(attempt=consumes(attempts))
    def refuse(self, attempt: Run) -> None:
        self.ended(attempt)

    @rule(attempt=consumes(attempts), among_parts=st.booleans())
    def kill(self, attempt: Run, among_parts: bool) -> None:
        """A run is killed: it leaves uploads, a receipt, or parts that no manifest names."""
        manifest = self.rig.target.key
        if among_parts:
            with (
                self.proxy.choosing(
                    lambda r: Fault.RESET_BEFORE if r.publishes(manifest) else None
                ),
                suppress(ExtractError),
            ):
                assert self.settled(attempt).outcome == "unchanged"
        else:
            save_receipt(self.rig.site.state, attempt.staged.receipt)
        self.died(attempt)

    @rule(target=versions, attempt=consumes(attempts), fault=FAULTS, nth=st.integers(0, 12))
    def publish_under_fault(self, attempt: Run, fault: Fault, nth: int) -> Any:
        """S3 fails permanently, from the nth request that can fail in this way."""
        met, current = 0, self.model.current

        def choose(request: Request) -> Fault | None:
            nonlocal met
            met += request.may_suffer(fault)
            return fault if met > nth and request.may_suffer(fault) else None

        with self.proxy.choosing(choose):
            try:
                self.settled(attempt)
            except ExtractError:
                pass
            finally:
                self.ended(attempt)
        self.left |= attempt.uploads
        own = [
            Published(version.version_id, "published")
            for version in self.rig.versions()
            if version.provenance["run-id"] == attempt.run_id and version.restoration is None
        ]
        assert len(own) <= 1
        return those(self.judged(attempt, own[0] if own else None, current))

    @rule(target=versions, fact=versions)
    def roll_back(self, fact: Fact) -> Any:
        assume(self.model.current is None or self.model.current.events != fact.events)
        self.number += 1
        rig = self.rig
        restored = restore(rig.site.state, rig.target, Order(fact.version_id, "why", "ada"))
        new = Fact(restored.version.version_id, self.number, fact.events)
        self.model.add(new)
        return new

    def check(self, fact: Fact) -> None:
        """Check that a version has each of its events once, and their watermark."""
        target = self.rig.target
        version = find_version(target.store, target.key, fact.version_id)
        assert version is not None
        rows = open_version(version).read_all()
        assert sorted(rows["n"].to_pylist()) == list(range(fact.events))
        manifest = load_manifest(version)
        highest = self.source.highest(fact.events)
        moved = manifest.watermark and datetime.fromisoformat(manifest.watermark.value)
        assert moved == highest
        assert (manifest.rows, self.rig.receipt(version).rows) == (fact.events, fact.events)


def incremental_key(
    site: Site, proxy: FaultProxy, numbers: Iterator[int], directory: Path
) -> type[IncrementalKey]:
    """The rules for one key, whose source is in `directory`."""
    files = count()
    members = {
        "new_rig": staticmethod(lambda: Rig(site, f"walk/added{next(numbers)}", "split")),
        "new_source": staticmethod(lambda: Source(directory / f"{next(files)}.duckdb")),
        "proxy": proxy,
    }
    return type("Walk", (IncrementalKey,), members)
