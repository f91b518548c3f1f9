"""Launch a run and watch it; where its user interrupts that, say what goes on and how to end it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from extract_project.cli.console import INTERRUPTED, err
from extract_project.errors import DeploymentError

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.run import Run

_AGAIN_SECONDS = 5


class Interrupted(SystemExit):
    """The user has interrupted the watching of a run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(INTERRUPTED)
        self.run_id = run_id


cancel_option = click.option(
    "--cancel-on-interrupt",
    is_flag=True,
    help="Terminate what runs on Ctrl-C. Without it, it goes on unless Ctrl-C is pressed twice.",
)


def launch_and_watch(
    deployment: Deployment,
    launch: Callable[[], str],
    watch: Callable[[str], Run],
    *,
    cancel_on_interrupt: bool = False,
) -> Run:
    """Launch a run, print its id and page, and watch it to its end.

    Ctrl-C ends only the watching; a second one within some seconds terminates the run. Raises
    Interrupted after either.
    """
    run_id = ""
    try:
        with _interrupts_later():
            run_id = launch()
            err.print(f"run {run_id}: {deployment.page(run_id)}")
        return watch(run_id)
    except KeyboardInterrupt:
        if not cancel_on_interrupt and not again(f"run {run_id}", deployment.page(run_id)):
            raise Interrupted(run_id) from None
    except DeploymentError as error:
        if not run_id:
            raise
        page = deployment.page(run_id)
        raise DeploymentError(f"{error}\nrun {run_id} was launched: {page}") from None
    _terminate(deployment, run_id, watch)
    raise Interrupted(run_id)


def again(what: str, page: str) -> bool:
    """Say that what was launched goes on; returns whether the user interrupts once more."""
    err.print(f"{what} goes on: {page}")
    err.print(
        f"press Ctrl-C again within {_AGAIN_SECONDS} s to terminate it, or do it on that page"
    )
    try:
        time.sleep(_AGAIN_SECONDS)
    except KeyboardInterrupt:
        return True
    return False


def _terminate(deployment: Deployment, run_id: str, watch: Callable[[str], Run]) -> None:
    err.print(f"terminating run {run_id}")
    try:
        deployment.terminate(run_id)
        ended = watch(run_id)
    except KeyboardInterrupt:
        err.print(f"not waiting for its end: {deployment.page(run_id)}")
        return
    err.print(f"run {run_id} has ended: {ended.status.lower()}")


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold an interrupt back until the block has ended: a run is launched and known, or neither."""
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt
