"""SQL files in S3 become Dagster assets; their results become versions of S3 objects.

The packages are named after the stations of one extract; each imports only from those above it:

    store/          objects and their versions
    schema/         a file's columns: types, spelling, values as text
    formats/        how rows become a file
    sql/            one read-only statement
    checks/         one rule, and what watches rows for it
    manifest/       SQL files -> Extract -> Snapshot
    warehouses/     where rows come from
    history/        versions as readers see them
    publish/        staged -> version
    pipeline/       query -> audited, staged result
    alerts/         what people are told, and through which channel
    deployment/     the client of a running Dagster
    orchestration/  how, in Dagster
    doctor/         whether an installation can work
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

# `dg` finds components with `dir` and `getattr` on this module. They are imported when they are
# asked for (PEP 562): Dagster takes two seconds, and neither the command line nor who reads
# published files needs it.


def __getattr__(name: str) -> Any:
    if name == "ExtractsComponent":
        from extract_project.component import ExtractsComponent

        return ExtractsComponent
    if name == "build_extract_defs":
        from extract_project.orchestration.load.build import build_extract_defs

        return build_extract_defs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
