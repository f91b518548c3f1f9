"""ministack: a second S3 server, so that tests do not mistake one server's behaviour for Amazon's.

Where it and SeaweedFS disagree, AWS's documentation decides. It dates versions to milliseconds and
answers 404 to an If-Match on a missing key, as S3 does; and it takes any KMS key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.environments import python_of

_LOCK = Path(__file__).with_name("requirements.lock")


@contextmanager
def ministack_server(directory: Path, services: str = "s3") -> Iterator[S3Server]:
    """Serve S3, or several services, from memory on the loopback address, within the block."""
    port = free_port()
    log = directory / "ministack.log"
    environment = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": services,
        "LOG_LEVEL": "WARNING",
    }
    with running(
        [str(python_of("ministack", _LOCK)), "-m", "ministack"], log, environment
    ) as process:
        await_ready("ministack", lambda: is_listening(port), process, log)
        yield S3Server(f"http://127.0.0.1:{port}", process.pid)
