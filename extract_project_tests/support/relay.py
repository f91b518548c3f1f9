"""A network before a server: TCP to its Unix socket, which can fall silent or break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from extract_project.warehouses.postgres import PostgresWarehouse

_CHUNK = 1 << 16


class Relay:
    """Forwards both ways, but no reply on a connection whose requests once held `silent_after`.

    After `breaks_after` bytes of replies in all, it ends each connection.
    """

    def __init__(self, listener: socket.socket, server: Path) -> None:
        self._listener = listener
        self._server = server
        self.silent_after: bytes | None = None
        self.silent = threading.Event()
        self.breaks_after: int | None = None
        self.replied = 0
        """Bytes of replies so far."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                held = threading.Event()
                for source, target, watched in ((client, server, held), (server, client, None)):
                    forward = threading.Thread(
                        target=self._forward, args=(source, target, held, watched), daemon=True
                    )
                    forward.start()

    def _forward(
        self,
        source: socket.socket,
        target: socket.socket,
        held: threading.Event,
        watched: threading.Event | None,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if watched and self.silent_after is not None and self.silent_after in data:
                    watched.set()
                    self.silent.set()
                if not watched:
                    data = data[: self._left()]
                    self.replied += len(data)
                if watched or not held.is_set():
                    target.sendall(data)
                if self._left() == 0:
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _left(self) -> int | None:
        """Bytes of replies until the connections end."""
        return None if self.breaks_after is None else max(0, self.breaks_after - self.replied)


@contextmanager
def relay(postgres: PostgresWarehouse) -> Iterator[Relay]:
    with relay_to(Path(postgres.host) / f".s.PGSQL.{postgres.port}") as network:
        yield network


@contextmanager
def relay_to(server: Path) -> Iterator[Relay]:
    """A network before the server of a Unix socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network = Relay(listener, server)
        threading.Thread(target=network.serve, daemon=True).start()
        yield network
