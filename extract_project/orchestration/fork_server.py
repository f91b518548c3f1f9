"""A process that has imported everything, from which others are forked instead of starting anew.

It holds modules only: settings, definitions and SQL are read in each process that is forked from
it. When a file of this project, or an installed package, has changed since it began, it is out of
date until the process that it belongs to is restarted.
"""

from __future__ import annotations

import multiprocessing
import sysconfig
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_CODE = Path(__file__).parents[1]
_NOT_PRELOADED = "definitions.py"


def installed_code() -> int:
    """Changes with every change of this project's code, and of the packages beside it."""
    files = [each for each in _CODE.rglob("*.py") if each.name != _NOT_PRELOADED]
    installed = Path(sysconfig.get_path("purelib"))
    return hash(tuple((str(each), each.stat().st_mtime_ns) for each in [installed, *files]))


class ForkServer:
    """The fork server of this process, which can have only one."""

    def __init__(
        self, preloaded: Sequence[str], installed: Callable[[], int] = installed_code
    ) -> None:
        """`preloaded` are the names of modules; one that does not exist is skipped."""
        self._installed, self._code = installed, installed()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preloaded))

    def begin(self) -> None:
        """Start importing, while the caller goes on. Otherwise the first process waits for it."""
        forkserver.ensure_running()

    @property
    def is_current(self) -> bool:
        """Whether what it has imported is still what is installed."""
        return self._installed() == self._code

    def process(self, target: Callable[..., None], arguments: tuple[Any, ...]) -> ForkServerProcess:
        """A process that has not been started."""
        return self._context.Process(target=target, args=arguments)
