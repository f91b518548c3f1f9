"""A thread pool that does not keep a process alive when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonPool(Executor):
    """A ThreadPoolExecutor whose threads do not keep the process alive.

    Python joins the threads of a ThreadPoolExecutor before it ends. One of them may wait for S3,
    which tries ten times, for a minute each: a run that was told to end would stay that long.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._tasks.put(_Task(future, lambda: fn(*args, **kwargs)))
        if len(self._threads) < self._size:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _cancel(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                return
            if task is None:
                continue
            task.future.cancel()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.carry_out()
            del task  # frees what it holds: the next task may be a long time coming


class _Task:
    def __init__(self, future: Future[Any], work: Callable[[], Any]) -> None:
        self.future, self._work = future, work

    def carry_out(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._work()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
