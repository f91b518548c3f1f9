"""One SQL file, understood: an Extract, or an InvalidExtract that says why it is none."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from extract_project.checks.contract import declared_types
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import chosen_format
from extract_project.manifest.fields.incremental import WATERMARK
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.header.frontmatter import Path, read_front_matter
from extract_project.manifest.header.model import Header
from extract_project.problem import Problem
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.sql.query import Placeholder, Query
from extract_project.values import Value

SUFFIX = ".sql"
PARTS_MANIFEST = "_manifest.json"
"""Name of the manifest object, where an extract is published in parts."""
PART_NAME = re.compile(r"part-([0-9]{5,})(\.[^/]*)?")
"""Name of a part object: its number, and its extension."""


class SqlSource(BaseModel):
    """Which bytes of which object were read."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Object key in the manifest bucket."""
    version_id: str | None
    """S3 VersionId, where the manifest bucket keeps versions."""
    etag: str
    sha256: str


class Extract(BaseModel):
    """A valid SQL file. `path` is its name everywhere: `sales/orders`."""

    model_config = ConfigDict(frozen=True)

    path: str
    source: SqlSource
    text: str
    header: Header
    warehouse: str
    """Name of the warehouse, with the default filled in."""
    kind: str
    """The SQL that it speaks: `duckdb`, …"""
    placeholders: tuple[Placeholder, ...]
    statement_end: int
    """Offset in the text at which the statement ends, before a semicolon."""
    tables: tuple[str, ...]
    """Warehouse tables that the statement reads."""
    types: TypeChoices = DEFAULTS
    """What its file makes of wide types: the header's choices, else the warehouse's."""
    warnings: tuple[Problem, ...] = ()
    """What is odd about the file, and no reason not to run it."""
    code_version: str
    """Changes when the SQL or a header key that shapes the data does, and only then."""

    @property
    def doubts(self) -> list[str]:
        """Each warning, with the file and the place in it."""
        return [warning.at(self.file) for warning in self.warnings]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def file(self) -> str:
        return f"{self.path}{SUFFIX}"

    @property
    def file_format(self) -> FileFormat:
        return chosen_format(self.header.format, self.header.compression)

    def published_path(self, partition: str | None = None) -> str:
        """Path below EXTRACT_DATA of the object whose versions are those of the extract, or of one
        of its partitions: the file, or where there are parts, the manifest object.
        """
        folder = self.path if partition is None else f"{self.path}/partition={partition}"
        if self.header.has_parts:
            return f"{folder}/{PARTS_MANIFEST}"
        file = folder if partition is None else f"{folder}/{self.name}"
        return f"{file}{self.file_format.extension}"

    def query(self, partition: Partition | None = None, watermark: Value = None) -> Query:
        """The statement with its values, ready for a warehouse."""
        values = {**self.header.params, **(partition.values if partition else {})}
        if self.header.incremental:
            values[WATERMARK] = watermark
        declared = declared_types(self.header.columns)
        end = self.statement_end
        return Query(self.text, self.placeholders, end, values, declared, self.types)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of a header key in the file."""
        return read_front_matter(self.text).place(path)


class InvalidExtract(BaseModel):
    """A SQL file that cannot run, and every reason why."""

    model_config = ConfigDict(frozen=True)

    path: str
    source: SqlSource
    text: str
    problems: tuple[Problem, ...]
    key_is_taken: bool = False
    """Whether Dagster has another asset under its key, so that it is shown under another one."""

    @property
    def file(self) -> str:
        return f"{self.path}{SUFFIX}"

    @property
    def reasons(self) -> list[str]:
        return [problem.at(self.file) for problem in self.problems]
