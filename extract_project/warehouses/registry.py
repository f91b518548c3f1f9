"""The types of warehouses: those of this package, and those that installed packages add.

A package of a company's own adds a type by an entry point in its metadata, under the group
`extract_project.warehouses`. A type is imported when settings name it, so that a run pays only for
the warehouses that it could use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel

from extract_project.errors import SettingsError
from extract_project.sql.dialect import Dialect

GROUP = "extract_project.warehouses"
BUILT_IN: Mapping[str, str] = {
    "bigquery": "extract_project.warehouses.bigquery:BigQueryWarehouse",
    "clickhouse": "extract_project.warehouses.clickhouse:ClickHouseWarehouse",
    "databricks": "extract_project.warehouses.databricks:DatabricksWarehouse",
    "duckdb": "extract_project.warehouses.duckdb:DuckDBWarehouse",
    "mysql": "extract_project.warehouses.mysql:MySQLWarehouse",
    "postgres": "extract_project.warehouses.postgres:PostgresWarehouse",
    "redshift": "extract_project.warehouses.redshift:RedshiftWarehouse",
    "snowflake": "extract_project.warehouses.snowflake:SnowflakeWarehouse",
}
"""Where the settings of each type of this package are."""


class UnknownType(SettingsError):
    """No warehouse has this type."""


def warehouse_types() -> tuple[str, ...]:
    """The possible types of a warehouse."""
    return tuple(sorted({*BUILT_IN, *_added()}))


def warehouse_model(kind: str) -> type[BaseModel]:
    """The settings of a warehouse of this type, imported now.

    Raises UnknownType, or SettingsError that names the package whose entry point cannot be used.
    """
    added = _added().get(kind, ())
    if kind in BUILT_IN and added:
        raise SettingsError(
            f"{_packages(added)} has an entry point for warehouses of type {kind!r}, which this "
            f"project has itself: uninstall that package, or have it use another name"
        )
    if len(added) > 1:
        raise SettingsError(
            f"{_packages(added)} have an entry point for warehouses of type {kind!r}: uninstall "
            f"all but one of them"
        )
    if kind in BUILT_IN:
        return _imported(EntryPoint(kind, BUILT_IN[kind], GROUP))
    if not added:
        raise UnknownType(
            f"{kind!r} is not a type of warehouse: expected one of {', '.join(warehouse_types())}"
        )
    return _of_package(added[0])


def warehouse_fields(kind: str) -> list[str]:
    """Their names, as in the names of their variables."""
    fields = warehouse_model(kind).model_fields.items()
    return [(field.alias or name).upper() for name, field in fields]


def dialect_of(kind: str) -> Dialect:
    """The SQL dialect of warehouses of this type; raises SettingsError."""
    found: Dialect = getattr(warehouse_model(kind), "dialect")  # noqa: B009 - no field of BaseModel
    return found


@cache
def _added() -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of installed packages, by type.

    A package that is found twice, as one that is installed and on the path as well, counts once.
    """
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for each in entry_points(group=GROUP):
        found.setdefault(each.name, {})[_package(each), each.value] = each
    return {name: tuple(each.values()) for name, each in found.items()}


def _of_package(entry_point: EntryPoint) -> type[BaseModel]:
    where = f"entry point {entry_point.name!r} of package {_package(entry_point)}"
    try:
        found = _imported(entry_point)
    except Exception as error:  # whatever another's module raises while it is imported
        raise SettingsError(
            f"the {where}, {entry_point.value!r}, cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    fault = _fault(found)
    if fault:
        raise SettingsError(f"the {where}, {entry_point.value!r}, {fault}: see docs/warehouse.md")
    return found


def _imported(entry_point: EntryPoint) -> type[BaseModel]:
    found: type[BaseModel] = entry_point.load()
    return found


def _fault(found: object) -> str | None:
    """Why this is not the settings of a warehouse, as far as can be seen without connecting."""
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return "is not a pydantic model"
    missing = [name for name in ("dialect", "connect") if not hasattr(found, name)]
    missing += [name for name in ("type",) if name not in found.model_fields]
    missing += [
        name
        for name in ("forbidden_functions", "types")
        if name not in found.model_fields and not hasattr(found, name)
    ]
    return f"has no {' and no '.join(missing)}" if missing else None


def _package(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "(unknown)"


def _packages(found: tuple[EntryPoint, ...]) -> str:
    return " and ".join(sorted({_package(each) for each in found}))
