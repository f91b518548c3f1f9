"""One stream of bytes into the staged objects of several destinations.

It is as fast as the slowest of them, so what waits in memory is bounded for each. A destination
that fails is left out from then on, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from extract_project.errors import BucketError, ExtractError, StagingError, StoreError
from extract_project.store.protocol import StagedObject

Faults = type[ExtractError] | tuple[type[ExtractError], ...]

FAULTS: Faults = (BucketError, StagingError, StoreError)
"""What is wrong with one destination, and not with the result."""


@dataclass
class Health:
    """Whether a destination still takes part."""

    error: Exception | None = None
    """Why it does not."""
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while the work waits for this destination."""

    @contextmanager
    def noting(self, faults: Faults = FAULTS) -> Iterator[None]:
        """A fault inside the block is one of this destination: it is kept, and not raised."""
        try:
            with self.waiting():
                yield
        except faults as error:
            self.error = error


class Fan:
    """A sink in front of one staged object for each destination.

    It raises nothing of theirs: whoever writes asks afterwards which of them are left.
    """

    closed = False

    def __init__(self, branches: Sequence[tuple[Health, StagedObject]]) -> None:
        self._branches = branches
        self.size = 0
        """Bytes written so far."""

    def write(self, data: bytes | memoryview) -> int:
        self._each(lambda upload: upload.write(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Parts leave when they are full."""

    def close(self) -> None:
        """For file-like users; each staged object ends by itself."""

    def seal(self) -> None:
        """Wait until every destination has all bytes."""
        self._each(lambda upload: upload.seal())

    def _each(self, act: Callable[[StagedObject], object]) -> None:
        for health, upload in self._branches:
            if health.error is None:
                with health.noting():
                    act(upload)
