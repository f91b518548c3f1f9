"""What the server does with a request: users, queries that run, and their end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from extract_project_tests.support.chdb_server.engine import Engine, EngineError
from extract_project_tests.support.http_faults import Faults

_QUERY_ID = re.compile(r"query_id = '([^']*)'")
_EMULATED = frozenset(
    ("readonly", "log_comment", "enable_http_compression", "wait_end_of_query", "http_send_timeout")
) | {"http_write_exception_in_output_format", "cancel_http_readonly_queries_on_client_close"}


@dataclass(frozen=True)
class Asked:
    """One request."""

    sql: str
    query_id: str
    form: str
    settings: Mapping[str, str]
    values: Mapping[str, str]
    user: str = "default"


@dataclass(frozen=True)
class Cut:
    """How an answer with rows goes wrong, after so many bytes."""

    after: int
    how: Literal["broken", "ended", "error"]
    """The connection breaks off; or the body ends as if it were whole, as some proxies have it; or
    an error's text follows, before the connection breaks off."""


@dataclass
class Service:
    """A server with the user `reader`, whose password is `hunter2`."""

    engine: Engine
    address: str = ""
    users: dict[str, str] = field(default_factory=lambda: {"reader": "hunter2"})
    asked: list[Asked] = field(default_factory=list)
    running: dict[str, threading.Event] = field(default_factory=dict)
    """By the id of each query that runs: whether it has been killed."""
    kills_ignored: int = 0
    """How many kills are without effect, counted from the first."""
    kills: int = 0
    hosts: tuple[str, ...] = ("a",)
    """The servers behind the address, which are asked in turn; queries run on the first."""
    looks: int = 0
    """How often it was asked whether a query runs."""
    faults: Faults = field(default_factory=Faults)
    cut: Cut | None = None
    """Where the answer with rows is cut."""

    def answer(self, asked: Asked) -> Iterator[bytes]:
        """The pieces of a query's answer; raises EngineError."""
        if asked.sql.startswith("kill query"):
            yield self._kill(asked.sql)
            return
        if "from system.processes" in asked.sql:
            self.looks += 1
            found = _QUERY_ID.search(asked.sql)
            runs = bool(found and found[1] in self.running)
            host = self.hosts[self.looks % len(self.hosts)]
            yield b'{"data":[{"n":"%d","host":"%s"}]}' % (runs and host == "a", host.encode())
            return
        self.asked.append(asked)
        if asked.settings.get("readonly") == "1" and not re.match(
            r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|select|with|describe|show|selec\b)",
            asked.sql,
            re.I | re.S,
        ):
            said = "reader: Cannot execute query in readonly mode. (READONLY)"
            raise EngineError(f"Code: 164. DB::Exception: {said}")
        killed = self.running[asked.query_id] = threading.Event()
        changed = {k: v for k, v in asked.settings.items() if k not in _EMULATED}
        try:
            # To the engine, whoever asks is its user `default`.
            sql = asked.sql.replace("currentUser()", f"'{asked.user}'")
            yield from self.engine.run(sql, asked.form, changed, asked.values)
        except ConnectionError:
            if killed.is_set():
                raise EngineError(
                    "Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)"
                ) from None
            raise
        finally:
            self.running.pop(asked.query_id, None)

    def _kill(self, sql: str) -> bytes:
        self.kills += 1
        found = _QUERY_ID.search(sql)
        killed = self.running.get(found[1]) if found else None
        if killed is not None and self.kills > self.kills_ignored:
            killed.set()
            self.engine.kill()
        return b'{"data":[]}'
