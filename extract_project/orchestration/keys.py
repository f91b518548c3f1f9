"""Names: from an extract's path, or a warehouse table, to what Dagster calls it."""

from __future__ import annotations

import re
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract, InvalidExtract

_PLAIN = re.compile(r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")


def asset_key(path: str) -> dg.AssetKey:
    """`sales/orders` is the asset `sales/orders`."""
    return dg.AssetKey(path.split("/"))


def table_key(warehouse: str, table: str) -> dg.AssetKey:
    """An upstream table: below the name of the warehouse that holds it."""
    return dg.AssetKey([warehouse, *table.split(".")])


def op_name(path: str) -> str:
    """A name for the step: the path where that is unambiguous, else with a hash behind it."""
    parts = path.split("/")
    name = "__".join(re.sub(r"\W", "_", part, flags=re.ASCII) for part in parts)
    if all(_PLAIN.match(part) for part in parts):
        return name
    return f"{name}_{sha256(path.encode()).hexdigest()[:8]}"


def group_name(extract: Extract | InvalidExtract) -> str:
    """The header's group, else the folder."""
    if isinstance(extract, Extract) and extract.header.group:
        return extract.header.group
    folder = extract.path.rpartition("/")[0]
    return re.sub(r"\W", "_", folder, flags=re.ASCII) or "default"
