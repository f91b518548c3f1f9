"""Items produced in a thread, ahead of their consumer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

from extract_project.prefetch import prefetch


class Value:
    """An item; `others` is how many were in memory when it was made."""

    alive = weakref.WeakSet["Value"]()

    def __init__(self) -> None:
        gc.collect()
        self.others = len(Value.alive)
        Value.alive.add(self)


def values() -> Iterator[Value]:
    for _ in range(5):
        yield Value()


def test_g9_a_heavy_item_is_alone_in_memory() -> None:
    others = []
    with prefetch(values(), 2, lambda: None, is_heavy=lambda _: True) as items:
        for item in items:
            others.append(item.others)
            del item
    assert others == [0, 0, 0, 0, 0]


def test_an_item_that_is_not_heavy_is_produced_while_the_one_before_is_used() -> None:
    with prefetch(values(), 2, lambda: None) as items:
        first = next(items)
        assert next(items).others >= 1
        assert first.others == 0


def test_a_consumer_may_leave_while_a_heavy_item_waits() -> None:
    cancelled = []
    with prefetch(values(), 2, lambda: cancelled.append(1), is_heavy=lambda _: True) as items:
        next(items)
    assert cancelled
