"""The base of the models of a published key: its history, open runs, people, invariants."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, multiple, precondition, rule

from extract_project.history.versions import list_history
from extract_project.manifest.extract import Extract
from extract_project.pipeline.staging import Staged
from extract_project.publish.publishing import Published, settle
from extract_project_tests.support.attack.proxy import Fault, FaultProxy
from extract_project_tests.support.attack.rig import Rig, impatient


@dataclass(eq=False)
class StagedRun:
    """A run that is staged."""

    number: int
    """In the order in which runs began, and rollbacks were made."""
    extract: Extract
    staged: Staged
    stack: ExitStack
    uploads: frozenset[str]
    is_swept: bool = field(default=False, kw_only=True)

    @property
    def run_id(self) -> str:
        return f"run-{self.number}"


class Versioned(Protocol):
    """A version that exists, and must never change."""

    @property
    def version_id(self) -> str: ...


FAULTS = st.sampled_from([fault for fault in Fault if fault is not Fault.STALL])
"""A stalled request only takes time, and is among those that `requests.py` has fail."""

A = TypeVar("A", bound=StagedRun)
F = TypeVar("F", bound=Versioned)


@dataclass
class History(Generic[F]):
    """The expected history of the key."""

    facts: list[F] = field(default_factory=list)
    """The newest first."""
    markers: list[str] = field(default_factory=list)
    """Delete markers on top of the newest version, the newest last."""

    @property
    def current(self) -> F | None:
        return None if self.markers or not self.facts else self.facts[0]

    def add(self, fact: F) -> None:
        self.facts.insert(0, fact)
        self.markers = []


class KeyMachine(RuleBasedStateMachine, Generic[A, F]):
    """Rules and invariants that do not depend on how a key is published."""

    new_rig: Callable[[], Rig]
    proxy: FaultProxy

    def __init__(self, model: History[F]) -> None:
        super().__init__()
        self.history = model
        self.rig = type(self).new_rig()
        self.s3 = impatient(self.proxy.endpoint)
        self.number = 0
        self.living: list[A] = []
        self.dead = ExitStack()
        """The open resources of killed runs; they are closed when the test ends."""
        self.left = set[str]()
        """Uploads that a run could not abort, because it was killed or cut off."""
        self.checked: set[str] = set()

    @abstractmethod
    def check(self, fact: F) -> None:
        """Check that a version is complete and agrees with the model."""

    def ended(self, attempt: A) -> None:
        self.living.remove(attempt)
        attempt.stack.close()

    def died(self, attempt: A) -> None:
        self.dead.push(attempt.stack.pop_all())
        self.living.remove(attempt)
        self.left |= attempt.uploads

    def settled(self, attempt: A) -> Published:
        return settle(self.rig.site.through(self.s3).state, attempt.staged, attempt.extract.header)

    @precondition(lambda self: self.history.current)
    @rule()
    def delete(self) -> None:
        target = self.rig.target
        reply = self.rig.site.s3.delete_object(Bucket=target.store.name, Key=target.key)
        self.history.markers.append(reply["VersionId"])

    @precondition(lambda self: self.history.markers)
    @rule()
    def undelete(self) -> None:
        target, marker = self.rig.target, self.history.markers.pop()
        self.rig.site.s3.delete_object(Bucket=target.store.name, Key=target.key, VersionId=marker)

    @rule()
    def abort_uploads(self) -> None:
        """Abort all uploads, as a lifecycle rule or a person does who does not know which runs
        are open.
        """
        self.rig.abort_open_uploads()
        for attempt in self.living:
            attempt.is_swept = True

    @invariant()
    def holds_what_the_model_says(self) -> None:
        rig, model = self.rig, self.history
        current = rig.current()
        assert (current and current.version_id) == (model.current and model.current.version_id)
        listed = list_history(rig.target.store, rig.target.key)
        ids = [each.version_id for each in listed if not each.is_deleted]
        assert ids == [fact.version_id for fact in model.facts], "history is another"
        for fact in model.facts:
            if fact.version_id not in self.checked:
                self.check(fact)
                self.checked.add(fact.version_id)

    @invariant()
    def leaves_no_uploads(self) -> None:
        alive = (attempt.uploads for attempt in self.living)
        assert self.rig.open_uploads().keys() <= self.left.union(*alive), "an upload is open"

    def teardown(self) -> None:
        """Open runs are aborted; then every version must be unchanged."""
        try:
            for attempt in list(self.living):
                self.ended(attempt)
            self.leaves_no_uploads()
            for fact in self.history.facts:
                self.check(fact)
        finally:
            self.dead.close()
            self.rig.abort_open_uploads()


def those(*facts: Versioned | None) -> Any:
    """The versions that a rule has made; none if it made none."""
    return multiple(*(fact for fact in facts if fact))
