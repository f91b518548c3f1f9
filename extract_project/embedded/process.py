"""Child processes that do not outlive their owner, and say why when they fail."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from extract_project.errors import EmbeddedError

_STOP_SECONDS = 15
_POLL_SECONDS = 0.05
_TAIL_LINES = 20
_HIGHEST_PORT = 50_000


def free_port() -> int:
    """A free port, low enough for servers that also use port + 10000."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= _HIGHEST_PORT and not is_listening(port + 10_000):
            return port
        with socket.socket() as probe:
            candidate = 20_000 + port % 20_000
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
        if not is_listening(candidate + 10_000):
            return candidate


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while in the block; at the end it gets SIGTERM, then SIGKILL if it has not
    ended."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_ready(
    what: str,
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    seconds: float = 60,
) -> None:
    """Wait until `ready`; if it ends or is too slow, raise EmbeddedError with the end of its
    log."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{what} ended with code {process.returncode}: {_tail(log)}")
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{what} is not ready after {seconds:.0f} s: {_tail(log)}")
        time.sleep(_POLL_SECONDS)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join([f"the end of {log}:", *lines])
