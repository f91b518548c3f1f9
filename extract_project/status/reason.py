"""States, and the reasons for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of an extract, worst first."""

    FAILED = "failed"
    REFUSED = "refused"
    INVALID = "invalid"
    LATE = "late"
    OVERDUE = "overdue"
    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    DISABLED = "disabled"
    FINE = "fine"

    @property
    def severity(self) -> int:
        """0 is the worst."""
        return _SEVERITIES[self]


_SEVERITIES = {state: severity for severity, state in enumerate(State)}


class Kind(StrEnum):
    """The kind of a reason."""

    NOT_LOADED = "not_loaded"
    OLDER_MANIFEST = "older_manifest"
    INVALID = "invalid"
    DISABLED = "disabled"
    FAILED = "failed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    QUEUED = "queued"
    POOL_FULL = "pool_full"
    SUPERSEDED = "superseded"
    LATE = "late"
    TICK_MISSED = "tick_missed"
    TICK_FAILED = "tick_failed"
    STARTER_OFF = "starter_off"
    DAEMON_SILENT = "daemon_silent"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_RUNNING = "upstream_running"
    UPSTREAM_BEHIND = "upstream_behind"
    UPSTREAM_OFF = "upstream_off"
    DUE = "due"
    NOTHING_NEW_UPSTREAM = "nothing_new_upstream"
    SOURCE_UNCHANGED = "source_unchanged"
    NOT_DUE = "not_due"
    ON_DEMAND = "on_demand"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason."""

    kind: Kind
    state: State | None
    """The state that it puts the extract in; None if it only explains another reason."""
    what: str
    evidence: str = ""
    remedy: str = ""


def state_of(reasons: list[Reason]) -> State:
    """The worst state that the reasons give."""
    states = [each.state for each in reasons if each.state is not None]
    return min(states, key=lambda state: state.severity, default=State.FINE)


def headline(reasons: list[Reason]) -> Reason:
    """The reason for the state: the first that gives it."""
    state = state_of(reasons)
    return next(each for each in reasons if each.state in (state, None))
