"""Faults of RunTask, in the order in which they happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from moto.core.exceptions import JsonRESTError

CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)


class Faults:
    """What happens to the next calls of RunTask; without any, they are served."""

    def __init__(self) -> None:
        self.refusals: deque[JsonRESTError | str] = deque()
        """An error, or the reason of a failure in a reply without tasks."""
        self.unstarted = 0
        """How many of the next tasks never start a process."""
        self.unstarted_steps = set[str]()
        """The steps of a run of several whose tasks never start a process."""
        self.seen = 0
        """How many calls have met a fault."""
        self.slowness = 0.0
        """Seconds that ECS takes to describe tasks."""

    def throttle(self, times: int) -> None:
        """Refuse the next calls as the API's own rate limit does."""
        self.refuse("ThrottlingException", "Rate exceeded", times)

    def refuse(self, code: str, message: str, times: int = 1) -> None:
        """Refuse the next calls with an error of the API."""
        self.refusals.extend(JsonRESTError(code, message) for _ in range(times))

    def starve(self, times: int) -> None:
        """Answer the next calls with a lack of capacity in Fargate."""
        self.refusals.extend(CAPACITY for _ in range(times))

    def never_start(self, times: int = 1) -> None:
        """Accept the next tasks, and leave them waiting."""
        self.unstarted += times

    def never_start_step(self, step: str) -> None:
        """Accept the tasks of a step, and leave them waiting."""
        self.unstarted_steps.add(step)

    def none(self) -> None:
        """Stop causing faults."""
        self.slowness = 0.0
        self.refusals.clear()
        self.unstarted = 0
        self.unstarted_steps.clear()

    def holds_back(self, tags: Mapping[str, str]) -> bool:
        """Whether a task that has just been accepted is to be left waiting."""
        if tags.get("dagster/step_key") in self.unstarted_steps:
            return True
        self.unstarted -= (held := self.unstarted > 0)
        return held

    def next_refusal(self) -> JsonRESTError | str | None:
        if not self.refusals:
            return None
        self.seen += 1
        return self.refusals.popleft()
