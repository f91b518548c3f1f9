"""Read a result that is in chunks, of which a few are downloaded ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

_DOWNLOADS = 4
BYTES_AHEAD = 32 << 20
"""The most Arrow data in memory, but at least the chunk being read and the next one."""


class Download(Protocol):
    """The download of one chunk, under way."""

    def table(self) -> pa.Table:
        """Wait for its rows."""


C = TypeVar("C")


def tables(
    chunks: Iterable[C], size: Callable[[C], int], start: Callable[[C], Download]
) -> Iterator[pa.Table]:
    """The rows of each chunk, in order. `size`: of a chunk as Arrow data, in bytes."""
    coming = deque((each, size(each)) for each in chunks)
    waiting: deque[tuple[Download, int]] = deque()
    ahead = 0
    while coming or waiting:
        while coming and (
            not waiting or (len(waiting) < _DOWNLOADS and ahead + coming[0][1] <= BYTES_AHEAD)
        ):
            chunk, taken = coming.popleft()
            waiting.append((start(chunk), taken))
            ahead += taken
        head, taken = waiting.popleft()
        yield head.table()
        ahead -= taken
