"""Dagster's names for extracts and warehouse tables: asset keys, op names, groups."""

from __future__ import annotations

import re
from collections.abc import Collection
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract, InvalidExtract

RERUN_JOB, RERUN_OP = "rerun_failed_extracts", "launch_reruns"

_SHOWN = re.compile(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")
_PLAIN = re.compile(r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")
_NO_PATH_HAS = ":"
"""Marks keys that are not extracts: no valid path contains it."""


def asset_key(path: str) -> dg.AssetKey:
    """`sales/orders` is the asset `sales/orders`."""
    return dg.AssetKey(path.split("/"))


def shown_key(extract: InvalidExtract) -> dg.AssetKey:
    """The key of an invalid extract: its path, unless that is not a valid key or already used."""
    if _SHOWN.match(extract.path) and not extract.key_is_taken:
        return asset_key(extract.path)
    parts = [_safe(part) for part in extract.path.split("/") if part.strip()] or ["unnamed"]
    return dg.AssetKey([*parts[:-1], f"{parts[-1]}{_NO_PATH_HAS}{_digest(extract.path)}"])


def table_key(warehouse: str, table: str, paths: Collection[str]) -> dg.AssetKey:
    """The key of an upstream table, below the name of its warehouse.

    `paths` are the paths of all SQL files. A folder may have the name of the warehouse, and a file
    in it the name of the table that it reads: with one key for both, the file would be its own
    upstream.
    """
    names = table.split(".")
    taken = "/".join([warehouse, *names]) in paths
    return dg.AssetKey([f"{warehouse}{_NO_PATH_HAS}" if taken else warehouse, *names])


def op_name(path: str) -> str:
    """A name for the step that Dagster accepts and that no other step, job or schedule has.

    `sales/orders` becomes `sales__orders`, and `orders` becomes `_orders`: Dagster reserves no such
    words (only words such as `type`, `input`, `import`). Any other spelling gets `___` and a hash
    appended.
    """
    parts = path.split("/")
    name = "__".join(_safe(part) for part in parts)
    if not all(_PLAIN.match(part) for part in parts):
        return f"{name}___{_digest(path)}"
    return name if len(parts) > 1 else f"_{name}"


def check_op_name(path: str, check: str) -> str:
    """A name for the step of a standalone check."""
    return f"{op_name(path)}___{check}"


def group_name(extract: Extract | InvalidExtract) -> str:
    """The header's group, else the folder."""
    if isinstance(extract, Extract) and extract.header.group:
        return extract.header.group
    folder = extract.path.rpartition("/")[0]
    return _safe(folder) or "default"


def _safe(text: str) -> str:
    return re.sub(r"\W", "_", text, flags=re.ASCII)


def _digest(path: str) -> str:
    return sha256(path.encode()).hexdigest()[:12]
