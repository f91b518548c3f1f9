"""All settings that this project changes for a whole process.

Each function says which process it is for, and why. It is called where that process begins its
work.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


def open_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed, in a command.

    Some schedulers start a command with closed streams. The next file or connection would get the
    number of one of them, and what is written to the stream would go there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def use_system_allocator() -> None:
    """Let Arrow use the system's allocator, in a process that stages a result.

    Arrow's own allocator keeps freed memory. The system's returns it, which lowers the peak by some
    40 MiB (G9) and makes a run a little faster.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def quiet_sqlglot() -> None:
    """Silence the warnings of sqlglot, in every process that reads SQL files.

    sqlglot warns about statements that it only knows by name. The guard refuses or explains those
    itself.
    """
    logging.getLogger("sqlglot").setLevel(logging.ERROR)


@contextmanager
def without_collection() -> Iterator[None]:
    """Exempt what is made inside the block from garbage collection, in a process of Dagster or of
    a command.

    It is for what lives as long as the process. Importing this project beside Dagster takes a third
    less CPU, in every run worker. The definitions of 5,000 extracts are a million objects, which
    the collector would traverse several times during the load, and once more while the next code
    server loads. If the block fails, its objects are garbage and stay with the collector.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_collecting:
            gc.enable()


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is hidden in this process", name=fullname)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Hide pandas inside the block, where all that runs is of this project: in a command, and in
    the task of a single extract.

    pyarrow, DuckDB and Snowflake's connector import it if it is installed, to recognize its values.
    None occurs here, and it costs a run 35 MiB and 0.3 s of CPU. A program that has already
    imported pandas keeps it.
    """
    hidden = _WithoutPandas()
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


def take_environment(variables: Mapping[str, str]) -> None:
    """Set environment variables, in `extract demo`, which is its own deployment.

    The command reads its own settings from them, and so do the processes that it starts.
    """
    os.environ.update(variables)
