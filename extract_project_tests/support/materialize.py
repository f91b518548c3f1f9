"""A process that materializes one extract, for tests that kill it: `python -m … PATH`.

Settings come from the environment, as in a real run. It prints its progress, one line each
(`staged`, `published <VersionId>`), and waits for a line of input before it publishes, so that a
test can stop it at a known point.
"""

from __future__ import annotations

import signal
import sys

from extract_project.manifest.bucket import find_extract
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.process import use_system_allocator
from extract_project.publish.places import Place
from extract_project.publish.publishing import settle
from extract_project.publish.target import Target
from extract_project.settings import load_settings
from extract_project.store.destination import DATA


def main(path: str, run_id: str) -> None:
    use_system_allocator()
    settings = load_settings()
    folders = settings.connect()
    extract = find_extract(folders.manifest, path, settings.dialects)
    target = Target.of(folders.data, extract)
    warehouse = settings.warehouses[extract.warehouse]
    say("started")
    with stage(
        warehouse, extract, [Place(DATA, target, folders.state)], Provenance(run_id)
    ) as staged:
        say("staged")
        sys.stdin.readline()
        published = settle(folders.state, staged, extract.header)
    say(f"{published.outcome} {published.version_id}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # A process in the background ignores interrupts unless it sets a handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(sys.argv[1], sys.argv[2])
