"""Names of tables, in the API and in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WITHOUT_DATASET, _WITHOUT_PROJECT, _WHOLE = 1, 2, 3


@dataclass(frozen=True, order=True)
class TableName:
    """The full name of a table."""

    project: str
    dataset: str
    table: str

    @property
    def path(self) -> str:
        """Its path in the APIs."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"

    @property
    def sql(self) -> str:
        return f"`{self.project}.{self.dataset}.{self.table}`"


@dataclass(frozen=True)
class Names:
    """Where names are looked up."""

    project: str
    dataset: tuple[str, str] | None
    """The project and dataset of tables whose names have none; None if the settings have none."""
    location: str | None

    def table(self, name: str) -> TableName | None:
        """The table of a dotted name; None if the name does not say which dataset."""
        parts = tuple(name.replace("`", "").split("."))
        if len(parts) == _WITHOUT_DATASET and self.dataset:
            parts = (*self.dataset, *parts)
        elif len(parts) == _WITHOUT_PROJECT:
            parts = (self.project, *parts)
        if len(parts) != _WHOLE:
            return None
        project, dataset, table = parts
        return TableName(project, dataset, table)


def table_name(reference: Mapping[str, Any]) -> TableName:
    """The name in a `TableReference` of the API."""
    return TableName(
        str(reference["projectId"]), str(reference["datasetId"]), str(reference["tableId"])
    )
