"""Child processes that do not outlive their owner, and say why when they fail."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from extract_project.errors import EmbeddedError

_STOP_SECONDS = 15
_POLL_SECONDS = 0.05
_TAIL_LINES = 20
_CLAIM_SECONDS = 60
_PORTS = range(12_000, 22_000)
"""With 10,000 added, too, below the ports that Linux gives to connections: 32768 and up."""


def free_port() -> int:
    """Choose a free port for a server, which may use that port + 10000 too.

    No other process gets the same port within a minute, so that servers which start at the same
    moment do not take each other's.
    """
    while True:
        port = random.choice(_PORTS)
        if all(_is_free(each) for each in (port, port + 10_000)) and _claims(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claims(port: int) -> bool:
    """Whether this process is the first in a minute to choose the port."""
    claim = Path(tempfile.gettempdir()) / f"extract-port-{port}"
    try:
        with suppress(FileNotFoundError):
            if time.time() - claim.stat().st_mtime < _CLAIM_SECONDS:
                return False
            claim.unlink()
        claim.touch(exist_ok=False)
    except (FileExistsError, PermissionError):  # another process, or another user, has it
        return False
    return True


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
