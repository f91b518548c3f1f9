"""The files of a checkout, or of a bare git repository at HEAD."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Repository:
    """A directory with files, or with a git repository that has no work tree."""

    directory: Path

    @property
    def is_bare(self) -> bool:
        return (self.directory / "HEAD").is_file() and (self.directory / "objects").is_dir()

    def names(self) -> list[str]:
        if self.is_bare:
            return self._git("ls-tree", "-r", "--name-only", "HEAD").decode().splitlines()
        root = self.directory
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))

    def files(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Name and text of each file whose whole name matches, in order."""
        for name in self.names():
            if re.fullmatch(pattern, name):
                yield name, self._read(name).decode("utf-8", errors="replace")

    def _read(self, name: str) -> bytes:
        if self.is_bare:
            return self._git("cat-file", "blob", f"HEAD:{name}")
        return (self.directory / name).read_bytes()

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "--git-dir", str(self.directory), *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout
