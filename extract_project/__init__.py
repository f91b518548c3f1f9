"""SQL files in S3 become Dagster assets; their results become versions of S3 objects.

The packages follow one extract from its SQL file to its version; each imports only from those
above it:

    store/          objects and their versions
    schema/         a file's columns: types, spelling, values as text
    formats/        how rows become a file
    sql/            one read-only statement
    checks/         a header's rules, and the auditors that watch rows for them
    manifest/       SQL files -> Extract -> Snapshot
    warehouses/     where rows come from
    history/        published versions: list, read, compare, pin, prune
    publish/        staged -> version
    pipeline/       query -> audited, staged result
    alerts/         messages about failures, and the channels that send them
    deployment/     the client of a running Dagster
    orchestration/  all of the above as Dagster assets, schedules, sensors and tasks
    doctor/         checks of an installation
    embedded/       S3, a warehouse and Dagster on this machine
    cli/            the `extract` command

Only `definitions.py`, `component.py` and `orchestration/` import Dagster; only `settings.py` reads
the environment. What others may import is in docs/extending.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extract_project.component import ExtractsComponent
    from extract_project.orchestration.load.build import build_extract_defs

__all__ = ["ExtractsComponent", "build_extract_defs"]

# `dg` finds components with `dir` and `getattr` on this module. They are imported on first use
# (PEP 562): importing Dagster takes two seconds, and neither the command line nor a reader of
# published files needs it.


def __getattr__(name: str) -> Any:
    from extract_project.process import without_collection

    with without_collection():
        if name == "ExtractsComponent":
            from extract_project.component import ExtractsComponent

            return ExtractsComponent
        if name == "build_extract_defs":
            from extract_project.orchestration.load.build import build_extract_defs

            return build_extract_defs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
