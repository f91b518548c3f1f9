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
"""The errors that concern one destination, and not the result."""


@dataclass
class Health:
    """Whether a destination still takes part."""

    error: Exception | None = None
    """The error that ended its part; None while it takes part."""
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Makes the context in which the work waits for this destination."""

    @contextmanager
    def noting(self, faults: Faults = FAULTS) -> Iterator[None]:
        """Keep an error inside the block as this destination's own, instead of raising it."""
        try:
            with self.waiting():
                yield
        except faults as error:
            self.error = error


class Fan:
    """A sink in front of one staged object for each destination.

    It raises no error of a destination: the writer asks afterwards which destinations are left.
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
        """Do nothing: parts are sent when they are full."""

    def close(self) -> None:
        """Do nothing, for file-like users: `publish` or `abort` ends each staged object."""

    def seal(self) -> None:
        """Wait until every destination has all bytes."""
        self._each(lambda upload: upload.seal())

    def _each(self, act: Callable[[StagedObject], object]) -> None:
        for health, upload in self._branches:
            if health.error is None:
                with health.noting():
                    act(upload)
