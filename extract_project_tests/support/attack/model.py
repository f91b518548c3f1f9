"""One key and everything that can happen to it, in any order, compared with a model.

Runs begin, are published, refused, killed and retried, several at once; the SQL changes; older
versions are rolled back to; the key is deleted and undeleted by hand; uploads are aborted by a
lifecycle rule; S3 fails in the middle; readers hold on to versions. After each step the key holds
what the model says (G1, G2, G4, G12), nothing that was there has changed, and every version leads
back to its run and its SQL (G10).

To attack another way of publishing, add a rule that begins it, and to `Content` what it publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    precondition,
    rule,
)

from extract_project.errors import ExtractError, NotPublished, StagingError, Superseded
from extract_project.history.reading import open_version
from extract_project.history.receipt import save_receipt
from extract_project.publish.publishing import Published
from extract_project.publish.rollback import Order, restore
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.machine import (
    FAULTS,
    History,
    KeyMachine,
    StagedRun,
    those,
)
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import Rig, Seen, Shape, sql
from extract_project_tests.support.killable import await_line, kill, start_process
from extract_project_tests.support.waiting import await_value

_MARKS = st.integers(0, 1)


@dataclass(frozen=True)
class Content:
    """The content of a result; equal contents give equal bytes."""

    shape: Shape
    mark: int
    rows: int

    def sql(self, *, always: bool) -> str:
        header = "unchanged: publish" if always else ""
        return sql(self.shape, self.mark, self.rows, header)


@dataclass(eq=False)
class Run(StagedRun):
    """A run that is staged."""

    content: Content
    always: bool
    """Whether it publishes the same content again."""


@dataclass(frozen=True)
class Fact:
    """A version that exists, and must never change."""

    version_id: str
    number: int
    content: Content
    run_id: str
    sql_version: str | None
    is_restored: bool = False


@dataclass(eq=False)
class Reader:
    """A reader that has opened a version."""

    fact: Fact
    rows: pa.RecordBatchReader


@dataclass
class Model(History[Fact]):
    """The expected state of the key."""

    is_buried: bool = False
    """Split: a run has died between its parts and its manifest, and its parts are on top."""

    def add(self, fact: Fact) -> None:
        super().add(fact)
        self.is_buried = False

    def expected(self, attempt: Run, *, is_decided: bool = False) -> str:
        """The expected outcome of a run that publishes now. `is_decided`: it has already found
        that its content differs from the current version's.
        """
        current = self.current
        same = current is not None and current.content == attempt.content and not self.is_buried
        if same and not attempt.always and not is_decided:
            return "unchanged"
        if current and current.number > attempt.number:
            return "superseded"
        return "lost" if attempt.is_swept and attempt.uploads else "published"


class PublishedKey(KeyMachine[Run, Fact]):
    """The rules; `published_key` says where, and for what shapes of results."""

    shapes: tuple[Shape, ...]
    kills_processes: bool = False

    attempts: Bundle[Run] = Bundle("attempts")
    readers: Bundle[Reader] = Bundle("readers")
    versions: Bundle[Fact] = Bundle("versions")

    def __init__(self) -> None:
        self.model = Model()
        super().__init__(self.model)

    def begun(self, mark: int, size: int, *, always: bool) -> Run:
        shape = self.shapes[size % len(self.shapes)]
        sizes = {"one put": (10, 0), "multipart": (600,), "split": (250, 120)}[shape]
        rows = sizes[size % len(sizes)]
        content = Content(shape, mark if rows else 0, rows)
        self.number += 1
        extract = self.rig.site.extract(self.rig.path, content.sql(always=always))
        before = self.rig.open_uploads().keys()
        stack = ExitStack()
        staged = stack.enter_context(self.rig.staged(self.s3, extract, f"run-{self.number}"))
        uploads = frozenset(self.rig.open_uploads().keys() - before)
        attempt = Run(self.number, extract, staged, stack, uploads, content, always)
        self.living.append(attempt)
        return attempt

    def fact(self, attempt: Run, version_id: str) -> Fact:
        return Fact(
            version_id,
            attempt.number,
            attempt.content,
            attempt.run_id,
            attempt.extract.source.version_id,
        )

    def published(self, attempt: Run) -> Fact | None:
        """Publish, and compare the outcome with the model."""
        expected = self.model.expected(attempt)
        outcome, version_id = self.outcome(attempt)
        assert outcome == expected
        if expected == "unchanged":
            assert self.model.current is not None
            assert version_id == self.model.current.version_id
        if expected != "published":
            return None
        fact = self.fact(attempt, version_id)
        self.model.add(fact)
        return fact

    def outcome(self, attempt: Run) -> tuple[str, str]:
        try:
            published = self.settled(attempt)
        except Superseded:
            return "superseded", ""
        except StagingError as error:
            return (
                ("lost", "")
                if "was aborted, but not by this run" in str(error)
                else (str(error), "")
            )
        finally:
            self.ended(attempt)
        return published.outcome, published.version_id

    # Runs.

    @rule(target=attempts, mark=_MARKS, size=st.integers(0, 3), always=st.booleans())
    def begin(self, mark: int, size: int, always: bool) -> Run:
        return self.begun(mark, size, always=always)

    @rule(target=versions, attempt=consumes(attempts))
    def publish(self, attempt: Run) -> Any:
        return those(self.published(attempt))

    @rule(target=versions, slow=consumes(attempts), fast=consumes(attempts))
    def publish_meanwhile(self, slow: Run, fast: Run) -> Any:
        """A slow run has read the key; a fast one publishes before the slow one writes."""
        current = self.model.current
        # An ETag is made of content: the same one again, in the same moment, cannot be told apart.
        assume(
            self.model.expected(fast) != "published"
            or not current
            or self.rig.shape == "split"
            or fast.content != current.content
        )
        expected, added = self.model.expected(slow), list[Future[Fact | None]]()

        def choose(request: Request) -> Fault | None:
            nonlocal expected
            if request.publishes(self.rig.target.key) and not added:
                added.append(Future())
                self.model.is_buried = self.rig.shape == "split"  # below the parts of the slow one
                _settle(added[0], lambda: self.published(fast))
                expected = self.model.expected(slow, is_decided=True)
            return None

        with self.proxy.choosing(choose):
            outcome, version_id = self.outcome(slow)
        facts = [each.result() for each in added]
        assert outcome == expected
        if outcome == "published":
            overtaken = any(facts) and self.rig.shape == "split"
            facts.append(self.fact(slow, version_id))
            self.model.add(self.fact(slow, version_id))
            self.model.is_buried = overtaken  # its parts lie below those of the fast one
        if fast in self.living:
            facts.append(self.published(fast))
        return those(*facts)

    @rule(target=versions, mark=_MARKS, size=st.integers(0, 3))
    def run(self, mark: int, size: int) -> Any:
        """A run from beginning to end, while others are under way."""
        return those(self.published(self.begun(mark, size, always=False)))

    @rule(target=versions, mark=_MARKS, size=st.integers(0, 3), in_order=st.booleans())
    def race(self, mark: int, size: int, in_order: bool) -> Any:
        """Two runs with different content; the second begins while the first is under way."""
        both = [self.begun(each, size, always=False) for each in (mark, 1 - mark)]
        added = [self.published(each) for each in (both if in_order else both[::-1])]
        return those(*added)

    @rule(attempt=consumes(attempts))
    def refuse(self, attempt: Run) -> None:
        self.ended(attempt)

    @rule(attempt=consumes(attempts), receipted=st.booleans())
    def kill_staged(self, attempt: Run, receipted: bool) -> None:
        """A staged run is killed: it leaves uploads that nobody aborts, perhaps a receipt."""
        if receipted:
            save_receipt(self.rig.site.state, attempt.staged.receipt)
        self.died(attempt)

    @precondition(lambda self: self.rig.shape == "split")
    @rule(attempt=consumes(attempts))
    def kill_among_parts(self, attempt: Run) -> None:
        """A run is killed after its parts: no manifest names them."""
        expected = self.model.expected(attempt)
        manifest = self.rig.target.key
        with self.proxy.choosing(lambda r: Fault.RESET_BEFORE if r.publishes(manifest) else None):
            try:
                assert self.settled(attempt).outcome == expected
            except ExtractError:
                assert expected != "unchanged"
        self.kill_staged(attempt, receipted=True)
        self.model.is_buried = self.model.is_buried or expected == "published"

    @rule(target=versions, attempt=consumes(attempts), fault=FAULTS, nth=st.integers(0, 12))
    def publish_under_fault(self, attempt: Run, fault: Fault, nth: int) -> Any:
        """S3 fails permanently, from the nth request that can fail in this way."""
        expected = self.model.expected(attempt)
        met, completed = 0, False

        def choose(request: Request) -> Fault | None:
            nonlocal met, completed
            completed = completed or (
                request.operation == "CompleteMultipartUpload" and "/part-" in request.key
            )
            met += request.may_suffer(fault)
            return fault if met > nth and request.may_suffer(fault) else None

        with self.proxy.choosing(choose):
            try:
                published: Published | None = self.settled(attempt)
            except ExtractError:
                published = None
            finally:
                self.ended(attempt)
        self.left |= attempt.uploads
        self.model.is_buried = self.model.is_buried or completed
        own = [v for v in self.rig.versions() if v.provenance["run-id"] == attempt.run_id]
        own = [v for v in own if "restored-from" not in v.provenance]
        if published and published.outcome == "published":
            assert [v.version_id for v in own] == [published.version_id]
        assert len(own) <= (expected == "published")
        if not own:
            return those()
        fact = self.fact(attempt, own[0].version_id)
        self.model.add(fact)
        return fact

    @precondition(lambda self: self.kills_processes)
    @rule(target=versions, mark=_MARKS, is_publishing=st.booleans())
    def kill_process(self, mark: int, is_publishing: bool) -> Any:
        """A real process, killed when it has staged, or somewhere while it publishes."""
        content = Content(self.shapes[-1], mark, {"multipart": 600}.get(self.shapes[-1], 250))
        self.number += 1
        rig, run_id = self.rig, f"run-{self.number}"
        extract = rig.site.extract(rig.path, content.sql(always=True))
        before = rig.open_uploads().keys()
        others = self.proxy.connections
        process = start_process(rig.site, rig.path, run_id, AWS_ENDPOINT_URL_S3=self.proxy.endpoint)
        await_line(process, "started")
        await_line(process, "staged")
        if is_publishing:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        kill(process)
        # S3 may still carry out its last request.
        await_value("its last requests", lambda: self.proxy.connections <= others)
        self.left |= rig.open_uploads().keys() - before
        own = [v for v in rig.versions() if v.provenance["run-id"] == run_id]
        if not own:
            self.model.is_buried = self.model.is_buried or rig.has_part_of(run_id)
            return those()
        fact = Fact(own[0].version_id, self.number, content, run_id, extract.source.version_id)
        self.model.add(fact)
        return fact

    # People.

    @rule(target=versions, fact=versions)
    def roll_back(self, fact: Fact) -> Any:
        self.number += 1
        rig, current = self.rig, self.model.current
        order = Order(fact.version_id, "why", "ada")
        if current and current.run_id == fact.run_id:
            try:
                restore(rig.site.state, rig.target, order)
            except NotPublished:
                return those()
            raise AssertionError("what is current already was restored")
        restored = restore(rig.site.state, rig.target, order)
        new = Fact(
            restored.version.version_id,
            self.number,
            fact.content,
            fact.run_id,
            fact.sql_version,
            is_restored=True,
        )
        self.model.add(new)
        return new

    # Readers.

    @precondition(lambda self: self.model.current)
    @rule(target=readers)
    def open(self) -> Reader:
        fact, version = self.model.current, self.rig.current()
        assert fact is not None
        assert version is not None
        return Reader(fact, open_version(version))

    @rule(reader=consumes(readers))
    def read(self, reader: Reader) -> None:
        table = reader.rows.read_all()
        content = reader.fact.content
        assert table.num_rows == content.rows
        assert set(table["mark"].to_pylist()) <= {content.mark}

    def check(self, fact: Fact) -> None:
        """Check that a version is complete, and names its origin."""
        found = [v for v in self.rig.versions() if v.version_id == fact.version_id]
        assert len(found) == 1
        assert self.rig.read(found[0]) == Seen(fact.content.mark, fact.content.rows)
        receipt = self.rig.receipt(found[0])
        known = found[0].provenance
        assert (known["run-id"], known["sql-version"]) == (fact.run_id, fact.sql_version)
        assert (receipt.run_id, receipt.sql_version) == (fact.run_id, fact.sql_version)
        assert (found[0].restoration is not None) == fact.is_restored


def published_key(
    site: Site,
    proxy: FaultProxy,
    numbers: Iterator[int],
    *,
    is_split: bool,
    kills_processes: bool = False,
) -> type[PublishedKey]:
    """The rules for one object, of one put or several parts; or for part objects."""
    shapes: tuple[Shape, ...] = ("split",) if is_split else ("one put", "one put", "multipart")
    members = {
        "new_rig": staticmethod(lambda: Rig(site, f"walk/key{next(numbers)}", shapes[-1])),
        "proxy": proxy,
        "shapes": shapes,
        "kills_processes": kills_processes,
    }
    return type("Walk", (PublishedKey,), members)


def _settle(future: Future[Fact | None], work: Callable[[], Fact | None]) -> None:
    """Do the work in this thread, for a caller that waits in another."""
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
