"""This project's pipeline without Dagster around it: `python -m bench.pipeline SOURCE`.

What the hand-written scripts are to be compared with: they have no orchestrator either.
"""

from __future__ import annotations

import sys

from extract_project.manifest.bucket import find_extract
from extract_project.pipeline.staging import Provenance, stage
from extract_project.process import use_system_allocator
from extract_project.publish.publishing import settle
from extract_project.publish.upload import Target
from extract_project.settings import load_settings
from extract_project.store.s3 import connect


def main(source: str) -> None:
    use_system_allocator()
    settings, s3 = load_settings(), connect()
    extract = find_extract(s3, settings.manifest, f"bench/{source}", settings.dialects)
    target = Target(settings.data.bucket, settings.data.key(extract.published_path()))
    warehouse = settings.warehouses[extract.warehouse]
    state = settings.state_location
    with stage(s3, warehouse, extract, target, Provenance("bench"), state=state) as staged:
        settle(s3, state, staged, extract.header)


if __name__ == "__main__":
    main(sys.argv[1])
