"""Dagster's storage in SQLite, with files that stay open.

For each event, Dagster's own opens a file, prepares the same statements again, and closes it, and
who closes a file last writes all of its log back. That was a quarter of the time of a small step
(Dagster 1.13.27). The files are the same, so that either storage reads what the other wrote. But
all processes of an installation should use one of them, or the UI hears late of new events.

Since files stay open, the newest rows may be in SQLite's log beside a file (`-wal`): copy both,
with Dagster stopped.

A process that forks closes its files first, because a child must not use, or close, what SQLite has
open (https://sqlite.org/howtocorrupt.html, 2.6). They are opened again when they are needed. Only a
process with a single thread may fork, because a file that another thread uses is not closed.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import dagster as dg
from sqlalchemy import Connection, Engine, QueuePool, create_engine

from extract_project.orchestration.dagster_internals import ConfigurableClassData
from extract_project.orchestration.dagster_sqlite import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    DagsterSqliteStorage,
    SqliteEventLogStorage,
    SqliteRunStorage,
    SqliteScheduleStorage,
    SqliteStorageConfig,
)

_MOST_OPEN = 8
"""Files that stay open in a process: each run has one, and the webserver reads those of many."""


class OpenSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage in the same folders of `base_dir`, with files that stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._run_storage = _Runs(self._run_storage._conn_string)
        self._schedule_storage = _Schedules(self._schedule_storage._conn_string)
        self._event_log_storage = _Events(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData, config_value: SqliteStorageConfig
    ) -> OpenSqliteStorage:
        return cls.from_local(config_value["base_dir"], inst_data)


class _OpenFiles:
    """The files that this process has open, the one used last at the end."""

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()

    def engine(self, address: str) -> Engine:
        with self._lock:
            engine = self._engines.pop(address, None) or _engine(address)
            self._engines[address] = engine
            if len(self._engines) > _MOST_OPEN:
                self._engines.popitem(last=False)[1].dispose()
        return engine

    def close(self) -> None:
        """Close what is not in use at this moment."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()


@cache
def _open_files() -> _OpenFiles:
    """Those of this process: Dagster makes a storage for each tick of a sensor."""
    files = _OpenFiles()
    os.register_at_fork(before=files.close)
    return files


def _engine(address: str) -> Engine:
    waits = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
    return create_engine(address, poolclass=QueuePool, max_overflow=-1, connect_args=waits)


@contextmanager
def _transaction(address: str) -> Iterator[Connection]:
    with _open_files().engine(address).begin() as connection:
        yield connection


class _Runs(SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _transaction(self._conn_string) as connection:
            yield connection


class _Schedules(SqliteScheduleStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _transaction(self._conn_string) as connection:
            yield connection


class _Events(SqliteEventLogStorage):
    """A file for each run, and one for all of them together."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        address = self.conn_string_for_shard(shard)
        with self._db_lock:
            if shard not in self._initialized_dbs:
                self._initdb(_open_files().engine(address))
                self._initialized_dbs.add(shard)
            with _transaction(address) as connection:
                yield connection

    def store_event(self, event: dg.EventLogEntry) -> None:
        try:
            super().store_event(event)
        finally:
            # The UI follows the events of a run by the changes of its file, while what is written
            # to an open file stays in SQLite's log beside it.
            with suppress(FileNotFoundError):  # another process has wiped all runs
                os.utime(self.path_for_shard(event.run_id))

    def wipe(self) -> None:
        _open_files().close()  # or what is stored next would go to the deleted files
        super().wipe()

    def dispose(self) -> None:  # an instance disposes its three storages, not what holds them
        super().dispose()
        _open_files().close()
