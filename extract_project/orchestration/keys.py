"""Names: from an extract's path, or a warehouse table, to what Dagster calls it."""

from __future__ import annotations

import re
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract, InvalidExtract

RERUN_JOB, RERUN_OP = "rerun_failed_extracts", "launch_reruns"
ROLLBACK_JOB, ROLLBACK_OP = "rollback_extract", "restore_version"
SCHEDULE_PREFIX = "at_"

_RESERVED = {RERUN_JOB, RERUN_OP, ROLLBACK_JOB, ROLLBACK_OP}
_TAKEN_BY_DAGSTER = re.compile(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")
_PLAIN = re.compile(r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")


def asset_key(path: str) -> dg.AssetKey:
    """`sales/orders` is the asset `sales/orders`."""
    return dg.AssetKey(path.split("/"))


def shown_key(extract: InvalidExtract) -> dg.AssetKey:
    """The key of an invalid extract: its path, with a hash where Dagster could not take that."""
    if _TAKEN_BY_DAGSTER.match(extract.path):
        return asset_key(extract.path)
    digest = sha256(extract.path.encode()).hexdigest()[:8]
    parts = [_safe(part) for part in extract.path.split("/") if part.strip()]
    return dg.AssetKey([*parts[:-1], f"{parts[-1] if parts else 'unnamed'}_{digest}"])


def table_key(warehouse: str, table: str) -> dg.AssetKey:
    """An upstream table: below the name of the warehouse that holds it."""
    return dg.AssetKey([warehouse, *table.split(".")])


def op_name(path: str) -> str:
    """A name for the step: the path where that is unambiguous, else with a hash behind it.

    Ops and jobs share one space of names; one that stands twice breaks the whole code location.
    """
    parts = path.split("/")
    name = "__".join(_safe(part) for part in parts)
    ours = name in _RESERVED or name.startswith(SCHEDULE_PREFIX)
    if not ours and all(_PLAIN.match(part) for part in parts):
        return name
    return f"{name}_{sha256(path.encode()).hexdigest()[:8]}"


def group_name(extract: Extract | InvalidExtract) -> str:
    """The header's group, else the folder."""
    if isinstance(extract, Extract) and extract.header.group:
        return extract.header.group
    folder = extract.path.rpartition("/")[0]
    return _safe(folder) or "default"


def _safe(text: str) -> str:
    return re.sub(r"\W", "_", text, flags=re.ASCII)
