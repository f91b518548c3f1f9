"""This project's pipeline without Dagster around it: `python -m bench.pipeline SOURCE`.

Compare it with the hand-written scripts, which have no orchestrator either.
"""

from __future__ import annotations

import sys

from extract_project.process import use_system_allocator, without_pandas


def main(source: str) -> None:
    use_system_allocator()
    with without_pandas():  # as in every command
        _publish(source)


def _publish(source: str) -> None:
    from extract_project.manifest.bucket import find_extract
    from extract_project.pipeline.provenance import Provenance
    from extract_project.pipeline.staging import stage
    from extract_project.publish.places import Place
    from extract_project.publish.publishing import settle
    from extract_project.publish.target import Target
    from extract_project.settings import load_settings
    from extract_project.store.destination import DATA

    settings = load_settings()
    folders = settings.connect()
    extract = find_extract(folders.manifest, f"bench/{source}", settings.dialects)
    target = Target.of(folders.data, extract)
    warehouse = settings.warehouses[extract.warehouse]
    state = folders.state
    with stage(warehouse, extract, [Place(DATA, target, state)], Provenance("bench")) as staged:
        settle(state, staged, extract.header)


if __name__ == "__main__":
    main(sys.argv[1])
