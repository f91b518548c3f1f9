"""A run at two destinations in a process of its own, which ends at a request, as `kill -9` does."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from extract_project.embedded.s3_server import S3Server
from extract_project.store.folder import Location
from extract_project.store.s3.buckets import S3Buckets
from extract_project.store.stores import Stores
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import impatient, without_patience
from extract_project_tests.support.attack.two import Two

_SECONDS = 120

When = Literal["before", "after"]
"""Whether S3 has carried out the request at which the process ends."""


@dataclass(frozen=True)
class Killer:
    """Kills runs that go through a proxy."""

    proxy: FaultProxy
    manifest: Location
    data: Location
    others: Location

    def run(self, text: str, at: Callable[[Request], bool], when: When) -> None:
        """Run the extract `a/b` with this SQL, and kill it at the first such request."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "extract_project.warehouses.duckdb"])
        buckets = (self.manifest, self.data, self.others)
        process = context.Process(target=_run, args=(self.proxy.endpoint, buckets, text))
        dead = threading.Event()

        def kill(request: Request) -> bool:
            if not dead.is_set() and at(request):
                process.kill()
                process.join(_SECONDS)
                dead.set()
            return dead.is_set()

        def before(request: Request) -> Fault | None:
            is_dead = kill(request) if when == "before" else dead.is_set()
            return Fault.RESET_BEFORE if is_dead else None

        def after(request: Request) -> None:
            if when == "after":
                kill(request)

        with self.proxy.choosing(before, after):
            process.start()
            assert dead.wait(_SECONDS), "it never sent such a request"


def _run(endpoint: str, buckets: tuple[Location, Location, Location], text: str) -> None:
    manifest, data, others = buckets
    s3 = impatient(endpoint)
    site = Site.of(S3Server(endpoint, 0), s3, manifest, data)
    folder = Stores({"s3": S3Buckets(s3)}).folder(others)
    with without_patience():
        Two(site, folder, s3, "").run(site.extract("a/b", text), "killed")
