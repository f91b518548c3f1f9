"""The destination of a download: a file that gets its name once complete, or a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from extract_project.errors import ExtractError

_STANDARD_OUTPUT = Path("-")
_DESCRIPTORS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")
"""Names of open descriptors. They are written into, even if they are files."""
_OUTPUTS = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@dataclass(frozen=True)
class Place:
    """The destination that `-o` names."""

    path: Path
    force: bool = False
    """Whether an existing file may be replaced."""

    @property
    def is_standard_output(self) -> bool:
        return self.path == _STANDARD_OUTPUT or str(self.path.absolute()) in _OUTPUTS

    @property
    def is_stream(self) -> bool:
        """Whether it is written to in place: standard output, a pipe, a device."""
        if self.path == _STANDARD_OUTPUT or str(self.path.absolute()).startswith(_DESCRIPTORS):
            return True
        return self.path.exists() and not self.path.is_dir() and not _is_regular(self.path)

    def below(self, name: str) -> Place:
        """The file of that name in this directory, or, if this is not one, this place itself."""
        return Place(self.path / name, self.force) if self.path.is_dir() else self

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it for writing. A file appears complete at the end; after an error it is unchanged.

        Raises ExtractError if a file exists and may not be replaced, or cannot be created.
        """
        if self.path == _STANDARD_OUTPUT:
            yield sys.stdout.buffer
            return
        if self.is_stream:
            with self._open(self.path) as stream:
                yield stream
            return
        target = self.path.resolve()  # a link stays one
        if target.exists() and not self.force:
            raise ExtractError(
                f"{self.path} exists: replace it with --force, or choose another file with -o"
            )
        unfinished = target.with_name(f"{target.name}.unfinished")
        try:
            with self._open(unfinished) as file:
                yield file
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def _open(self, path: Path) -> BinaryIO:
        try:
            return path.open("wb")
        except OSError as error:
            raise ExtractError(
                f"{self.path} cannot be written ({error.strerror}): choose another file with -o"
            ) from None

    def __str__(self) -> str:
        return "standard output" if self.path == _STANDARD_OUTPUT else str(self.path)


def _is_regular(path: Path) -> bool:
    return S_ISREG(path.stat().st_mode)
