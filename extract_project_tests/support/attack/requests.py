"""Make every request of a materialization fail, in every way, once and permanently (G1, G2, G10,
G12).

What a materialization asks of S3 is recorded first, so that a request which is added to it some day
is attacked too. After each attack the key names the old version or the new one, whole and audited;
what was said to be published is what holds the data; no upload is left open unless the run was cut
off; the error is one that Dagster retries; and a run without faults publishes and tidies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from extract_project.errors import ExtractError
from extract_project.orchestration.run.failures import is_transient
from extract_project.publish.publishing import Published
from extract_project_tests.support.attack.proxy import Choose, Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import Rig, impatient, sql


class Duration(StrEnum):
    """How long a fault lasts."""

    ONCE = "once"
    FOR_GOOD = "whenever it is asked again"
    CUT_OFF = "from there on, whatever is asked"


@dataclass(frozen=True)
class Call:
    """One request of a materialization: the nth of its kind."""

    operation: str
    key: str
    part: str
    nth: int = 1

    def __str__(self) -> str:
        return " ".join(filter(None, (self.operation, self.key, self.part, f"#{self.nth}")))


class Calls:
    """Numbers requests as they arrive; concurrent ones arrive in any order."""

    def __init__(self) -> None:
        self._counts = Counter[Call]()

    def name(self, request: Request) -> Call:
        key = "receipt" if "/receipts/" in request.key else request.key.rpartition("/")[2]
        call = Call(request.operation, key, request.part)
        self._counts[call] += 1
        return replace(call, nth=self._counts[call])


@dataclass(frozen=True)
class Attack:
    """A fault at a request."""

    call: Call
    fault: Fault
    duration: Duration

    def __str__(self) -> str:
        return f"{self.fault} {self.duration} at {self.call}"

    def choose(self) -> Choose:
        """Choose the fault for a request of one materialization."""
        calls, begun = Calls(), False

        def chosen(request: Request) -> Fault | None:
            nonlocal begun
            call = calls.name(request)
            begun = begun or call == self.call
            hit = {
                Duration.ONCE: call == self.call,
                Duration.FOR_GOOD: begun and replace(call, nth=self.call.nth) == self.call,
                Duration.CUT_OFF: begun,
            }
            return self.fault if hit[self.duration] and request.may_suffer(self.fault) else None

        return chosen

    @property
    def read_seconds(self) -> float:
        """Seconds that the client waits for a reply."""
        return 3 if self.fault is Fault.STALL else 60

    @property
    def may_leave_uploads(self) -> bool:
        """Whether uploads may be left open: those whose id never arrived, or all if S3 is gone."""
        return (
            self.duration is Duration.CUT_OFF
            or (self.call.operation == "CreateMultipartUpload" and self.fault.is_applied)
            or (self.call.operation == "AbortMultipartUpload")
        )


@dataclass
class Findings:
    """What was attacked, and the violations that were found."""

    attacks: int = 0
    failed: int = 0
    """The number of runs that ended in an error; the others published in spite of the fault."""
    wrong: list[str] = field(default_factory=list)


Pick = Callable[[Sequence[Attack]], Sequence[Attack]]
Scenario = Literal["new content", "the same content"]


def attack_requests(rig: Rig, proxy: FaultProxy, pick: Pick) -> Findings:
    """Attack every request of a materialization of new content, and of one of the same content.

    `pick` chooses among the attacks, for those who have little time.
    """
    findings = Findings()
    attacker = _Attacker(rig, proxy, findings)
    for scenario in ("new content", "the same content"):
        for attack in pick(list(attacker.attacks(scenario))):
            attacker.carry_out(attack, scenario)
    return findings


class _Attacker:
    def __init__(self, rig: Rig, proxy: FaultProxy, findings: Findings) -> None:
        self._rig, self._proxy, self._findings = rig, proxy, findings
        self._mark = self._number = 0
        self._seen = set[Call]()
        self._publish_cleanly()

    def attacks(self, scenario: Scenario) -> Iterator[Attack]:
        """Those on requests that no scenario before had."""
        self._mark += scenario == "new content"
        with self._proxy.choosing(lambda _: None):
            self._run(self._proxy.endpoint, "recorded")
            requests = self._proxy.seen
        calls = Calls()
        for request in requests:
            call = calls.name(request)
            if call not in self._seen:
                self._seen.add(call)
                yield from _on(call, request)

    def carry_out(self, attack: Attack, scenario: Scenario) -> None:
        self._findings.attacks += 1
        old = self._mark
        self._mark += scenario == "new content"
        self._number += 1
        run_id, published, error = f"attacked-{self._number}", None, None
        with self._proxy.choosing(attack.choose()):
            try:
                published = self._run(self._proxy.endpoint, run_id, attack.read_seconds)
            except Exception as raised:
                error = raised
                self._findings.failed += 1
            hit = bool(self._proxy.spoilt)
        try:
            assert hit, "the fault was never met"
            self._judge(old, run_id, published, error)
            assert attack.may_leave_uploads or not self._rig.open_uploads(), "an upload is open"
            self._rig.abort_open_uploads()
            self._publish_cleanly()
        except Exception as wrong:
            self._findings.wrong.append(f"{scenario}, {attack}: {wrong!r} (the run: {error!r})")
            self._rig.abort_open_uploads()
            self._publish_cleanly()

    def _judge(
        self, old: int, run_id: str, published: Published | None, error: Exception | None
    ) -> None:
        current = self._rig.current()
        assert current is not None
        seen = self._rig.read(current)
        assert seen.mark in (old, self._mark)
        own = [v for v in self._rig.versions() if v.provenance["run-id"] == run_id]
        assert len(own) <= 1, "one run has made two versions"
        if published:
            assert seen.mark == self._mark
            assert current.version_id == published.version_id
            assert [v.version_id for v in own] == [published.version_id][: len(own)]
            assert bool(own) == (published.outcome == "published")
        else:
            assert isinstance(error, ExtractError), "unexplained"
            assert is_transient(error), "Dagster would not try again"

    def _publish_cleanly(self) -> None:
        published = self._run(self._rig.site.server.endpoint, "clean")
        current = self._rig.current()
        assert current is not None
        assert current.version_id == published.version_id
        assert self._rig.read(current).mark == self._mark
        self._rig.assert_tidy()

    def _run(self, endpoint: str, run_id: str, read_seconds: float = 60) -> Published:
        rig = self._rig
        extract = rig.site.extract(rig.path, sql(rig.shape, self._mark))
        return rig.run(impatient(endpoint, read_seconds), extract, run_id)


_FOR_GOOD = (
    *(Fault.SLOW_DOWN, Fault.CONFLICT, Fault.ERROR_IN_200),
    *(Fault.RESET_REPLY, Fault.LOST_REPLY, Fault.TRUNCATED),
)
"""Faults that can last; not expired credentials, which fail requests of every kind."""


def _on(call: Call, request: Request) -> Iterator[Attack]:
    for fault in Fault:
        if request.may_suffer(fault):
            yield Attack(call, fault, Duration.ONCE)
            if fault in _FOR_GOOD:
                yield Attack(call, fault, Duration.FOR_GOOD)
            if fault in (Fault.EXPIRED_TOKEN, Fault.RESET_BEFORE):
                yield Attack(call, fault, Duration.CUT_OFF)
