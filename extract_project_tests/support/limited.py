"""A process that stages an extract with little memory left: `python -m … WARM PATH ROOM`.

How much address space a step takes depends on what the process has freed before. So this one is
new, and has staged the small extract WARM, which loads all that a run needs, before ROOM bytes are
left. Settings come from the environment. It prints the cause and the text of OutOfMemory.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extract_project.errors import OutOfMemory
from extract_project.manifest.bucket import find_extract
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.settings import load_settings
from extract_project.store.destination import DATA


def main(warm: str, path: str, room: int) -> None:
    _stage(warm)
    try:
        with _memory_left(room):
            _stage(path)
    except OutOfMemory as error:
        sys.stdout.write(json.dumps({"cause": error.cause.value, "text": str(error)}))


def _stage(path: str) -> None:
    settings = load_settings()
    folders = settings.connect()
    extract = find_extract(folders.manifest, path, settings.dialects)
    place = Place(DATA, Target.of(folders.data, extract), folders.state)
    with stage(settings.warehouses[extract.warehouse], extract, [place], Provenance("run")):
        pass


@contextmanager
def _memory_left(size: int) -> Iterator[None]:
    """Let this process take so many more bytes of address space."""
    status = Path("/proc/self/status").read_text().split()
    used = int(status[status.index("VmSize:") + 1]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
