"""Waiting for an event with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_SHORTEST, _LONGEST = 0.05, 0.5
"""Seconds between two looks."""


def await_value(what: str, probe: Callable[[], T | None], seconds: float = 60) -> T:
    """The first value of `probe` that is not None or False; fails saying what was awaited.

    It is asked often at first, and then less: servers have better things to do than to answer.
    """
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < seconds:
        value = probe()
        if value is not None and value is not False:
            return value
        time.sleep(min(max(waited / 5, _SHORTEST), _LONGEST))
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
