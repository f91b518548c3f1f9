"""The tables of published extracts in AWS Glue, where Athena, Redshift and EMR find them.

A table is written when its definition is another than the one in Glue, and only over the version
that was read: what somebody else writes meanwhile is not lost. Whatever Glue refuses is told, and
nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from extract_project.catalog.model import CatalogEntry
from extract_project.catalog.tables import table_of
from extract_project.ddl.athena import hive_table
from extract_project.ddl.table import PARTITION, NoSuchTable
from extract_project.wording import some

if TYPE_CHECKING:
    from botocore.client import BaseClient

_DEFINITION = "extract-definition"
"""A table's parameter: a digest of everything that this module wrote of it."""
_EXTRACT = "extract-path"
_SHOWN = 3


@dataclass(frozen=True)
class Refusal:
    """A table that Glue has not, or not in the form that the extract has."""

    path: str
    reason: str


def keep_tables(
    database: str, entries: Iterable[CatalogEntry], data: str
) -> tuple[int, list[Refusal]]:
    """Bring the tables of some extracts up to date; gives how many were written, and refusals.

    An extract that is not published, or that Athena cannot read, has no table; one that it could
    read before has a table that no longer shows what is published, which is told. Tables of
    extracts that are gone stay. Raises nothing that AWS answers.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    written, refusals = 0, list[Refusal]()
    try:
        glue = boto3.client("glue")
        there = dict(_tables(glue, database))
    except (BotoCoreError, ClientError) as error:
        return 0, [Refusal("all extracts", str(error))]
    for entry in entries:
        if entry.published is None or not entry.published.columns:
            continue
        try:
            wanted = _input(entry, data)
            written += _keep(glue, database, wanted, there.get(wanted["Name"]))
        except NoSuchTable as error:
            refusals += [
                Refusal(
                    entry.path,
                    f"the table {database}.{name} is of older versions: drop it ({error})",
                )
                for name, table in there.items()
                if table.get("Parameters", {}).get(_EXTRACT) == entry.path
            ]
        except (BotoCoreError, ClientError, _NotOurs) as error:
            refusals.append(Refusal(entry.path, str(error)))
    return written, refusals


def shown(refusals: list[Refusal]) -> str:
    """Refusals on one line."""
    return some([f"{each.path}: {each.reason}" for each in refusals], _SHOWN, "; ")


class _NotOurs(Exception):
    """A table of the same name that this project did not make."""


def _tables(glue: BaseClient, database: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
        for table in page["TableList"]:
            yield table["Name"], table


def _keep(
    glue: Any, database: str, wanted: dict[str, Any], there: Mapping[str, Any] | None
) -> bool:
    """Whether something was written."""
    if there is None:
        glue.create_table(DatabaseName=database, TableInput=wanted)
        return True
    parameters = there.get("Parameters", {})
    if parameters.get(_EXTRACT) != wanted["Parameters"][_EXTRACT]:
        raise _NotOurs(
            f"the table {database}.{wanted['Name']} is not of this extract: rename it, or drop it"
        )
    if parameters.get(_DEFINITION) == wanted["Parameters"][_DEFINITION]:
        return False
    condition = {"VersionId": there["VersionId"]} if "VersionId" in there else {}
    glue.update_table(DatabaseName=database, TableInput=wanted, **condition)
    return True


def _input(entry: CatalogEntry, data: str) -> dict[str, Any]:
    """Glue's `TableInput`; raises NoSuchTable."""
    table = table_of(entry, data)
    hive = hive_table(table)
    made: dict[str, Any] = {
        "Name": table.name.lower(),
        "Description": entry.description[:2048],
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": PARTITION, "Type": "string"}] if hive.is_partitioned else [],
        "StorageDescriptor": {
            "Columns": [
                {"Name": name.lower(), "Type": kind, "Comment": comment[:255]}
                for name, kind, comment in hive.columns
            ],
            "Location": hive.location,
            "InputFormat": hive.input_format,
            "OutputFormat": hive.output_format,
            "SerdeInfo": {"SerializationLibrary": hive.serde},
        },
    }
    digest = sha256(repr((made, dict(hive.properties))).encode()).hexdigest()[:16]
    own = {"EXTERNAL": "TRUE", _EXTRACT: entry.path, _DEFINITION: digest}
    return {**made, "Parameters": {**hive.properties, **own}}
