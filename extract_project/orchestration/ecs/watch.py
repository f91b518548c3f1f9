"""Watch the tasks of one run in ECS: which are gone, and which never started."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher, StepTask

_LOOKS = 3
"""The number of looks in which a task must be unknown to ECS before it counts as gone: ECS lists a
new task only after a moment."""
_DESCRIBED_AT_ONCE = 100


@dataclass(frozen=True)
class Watched:
    """A task whose end has not been recorded yet."""

    task: StepTask
    since: float
    """Monotonic seconds."""
    seen: Mapping[str, Any] | None = None
    """The task as ECS describes it; None before the first look, and if ECS does not know it."""
    seen_at: float = 0.0
    """When ECS was asked, in monotonic seconds."""
    looks_gone: int = 0
    given_up: str = ""
    """Why it is being stopped, if it is."""

    @property
    def is_gone(self) -> bool:
        """Whether it has been unknown to ECS for long enough to count as gone."""
        return self.looks_gone >= _LOOKS

    @property
    def status(self) -> str | None:
        return self.seen.get("lastStatus") if self.seen else None

    def looked_at(self, seen: Mapping[str, Any] | None, at: float) -> Watched:
        gone = seen is None or seen.get("lastStatus") == "STOPPED"
        looks = self.looks_gone + 1 if gone else 0
        return replace(self, seen=seen, seen_at=at, looks_gone=looks)


class Watch:
    """Watches the tasks of one run, by the keys of their steps."""

    def __init__(self, launcher: ExtractEcsRunLauncher, start_timeout: float) -> None:
        """`start_timeout`: seconds that a task may take until its container runs; 0: any."""
        self.start_timeout = start_timeout
        self._launcher = launcher
        self._watched: dict[str, Watched] = {}
        self._asked_of = set[str]()
        """The steps that Dagster has asked for since the last look."""

    def begin(self, step: str, task: StepTask) -> None:
        """Start to watch the task of a step."""
        self._watched[step] = Watched(task, time.monotonic())

    def ask(self, step: str) -> Watched | None:
        """The task of a step, as of the last look; None if it is no longer watched.

        Dagster asks for one step after the other. The first step that it asks for again begins a
        new round; one request to ECS serves all steps of a round.
        """
        if step in self._asked_of:
            self._look()
        self._asked_of.add(step)
        return self._watched.get(step)

    def never_started(self, watched: Watched) -> bool:
        """Whether a task has not started within `start_timeout`."""
        waiting = watched.status in ("PROVISIONING", "PENDING", "ACTIVATING")
        return waiting and 0 < self.start_timeout < watched.seen_at - watched.since

    def give_up(self, step: str, reason: str) -> None:
        """Record why a task is being stopped."""
        self._watched[step] = replace(self._watched[step], given_up=reason)

    def forget(self, step: str) -> Watched | None:
        """Stop watching the task of a step; returns it."""
        return self._watched.pop(step, None)

    def _look(self) -> None:
        """Ask ECS about every task."""
        self._asked_of.clear()
        steps = list(self._watched)
        for start in range(0, len(steps), _DESCRIBED_AT_ONCE):
            chunk = steps[start : start + _DESCRIBED_AT_ONCE]
            now = time.monotonic()
            found = self._launcher.describe([self._watched[step].task for step in chunk])
            for step in chunk:
                watched = self._watched[step]
                self._watched[step] = watched.looked_at(found.get(watched.task.arn), now)
