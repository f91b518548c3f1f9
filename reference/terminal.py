"""Commands as a person sees them: run on a terminal of their own, and drawn as SVG."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sysconfig
import termios
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

_COLUMNS, _ROWS = 104, 60
_BLOCK = 65_536
_CONTROL = re.compile(r"\x1b\[(\?)?(\d*)([A-Za-z])|(\r\n)|([\r\n])")
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Terminal:
    """One window; each command's output stands below the one before."""

    def __init__(self, environment: Mapping[str, str], title: str) -> None:
        scripts = sysconfig.get_path("scripts")
        self._environment = {
            **environment,
            "PATH": f"{scripts}{os.pathsep}{environment.get('PATH', '')}",
            "TERM": "xterm-256color",
            "COLUMNS": str(_COLUMNS),
        }
        self._title = title
        self._console = Console(
            record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True
        )

    def run(self, command: str) -> None:
        """Run a command to its end, whatever its exit code is."""
        self._console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        for line in screen(_output(shlex.split(command), self._environment)):
            self._console.print(Text.from_ansi(line))
        self._console.print()

    def save(self, picture: Path) -> None:
        """Write everything as SVG, in fonts that the reader's machine has."""
        svg = self._console.export_svg(title=self._title)
        picture.write_text(_FONT.sub("", svg))


def screen(output: str) -> list[str]:
    """What is left on the screen, line by line, colours kept, where progress was drawn over.

    Understood are line ends, the cursor up, and a cleared line: all that progress bars use.
    """
    lines, row, start = [""], 0, 0
    for found in _CONTROL.finditer(output):
        lines[row] += output[start : found.start()]
        start = found.end()
        _, count, letter, *_ = found.groups()
        if letter == "m":
            lines[row] += found.group()
        elif letter == "A":
            row = max(0, row - int(count or 1))
        elif letter == "K":
            lines[row] = ""
        elif letter is None and "\n" in found.group():
            row += 1
            lines += [""] * (row + 1 - len(lines))
    lines[row] += output[start:]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    with subprocess.Popen(
        command, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        written = bytearray()
        while block := _read(ours):
            written += block
        os.close(ours)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, _BLOCK)
    except OSError:  # on Linux, how a terminal says that its last writer has gone
        return b""
