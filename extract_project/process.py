"""What this project sets for a whole process. It sets it here, and nowhere else.

Each function says which process it is for, and why. It is called where that process begins its
work, so that nobody finds a switch thrown in the middle of something else.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def use_system_allocator() -> None:
    """Have Arrow take memory from the system's allocator: in what stages a result.

    Arrow's own allocator keeps what is freed. The system's gives it back, which makes the peak some
    40 MiB lower (G9), and a run a little faster.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def quiet_sqlglot() -> None:
    """Silence the warnings of sqlglot: in every process that reads SQL files.

    sqlglot warns about statements that it only knows by name. The guard refuses or explains those
    itself.
    """
    logging.getLogger("sqlglot").setLevel(logging.ERROR)


@contextmanager
def building_definitions() -> Iterator[None]:
    """Keep the garbage collector away from definitions: in a code server, while it loads them.

    They live as long as the server does. With 5,000 extracts they are a million objects, which the
    collector would walk several times during the load, and once more while the server's successor
    loads. What a load leaves behind that fails is garbage: it stays with the collector.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_collecting:
            gc.enable()


@contextmanager
def without_pandas() -> Iterator[None]:
    """Hide pandas from what is imported in here: in a run worker that connects to Snowflake.

    The connector imports pandas wherever that is installed, and never needs it here: a quarter of a
    second and 40 MB of every run. A program that has imported pandas itself keeps it.
    """
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pandas"]


def take_environment(variables: Mapping[str, str]) -> None:
    """Set environment variables: in `extract demo`, which is its own deployment.

    Its own settings, and those of the processes that it starts, are read from there.
    """
    os.environ.update(variables)
