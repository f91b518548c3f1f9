"""A parsed SQL file: an Extract, or an InvalidExtract with the reasons."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from extract_project.checks.contract import declared_types
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import chosen_format
from extract_project.layout import PARTS_MANIFEST
from extract_project.manifest.fields.incremental import WATERMARK
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.header.frontmatter import Path, read_front_matter
from extract_project.manifest.header.model import Header
from extract_project.problem import Problem
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.sql.query import Placeholder, Query
from extract_project.values import Value

SUFFIX = ".sql"


class SqlSource(BaseModel):
    """The object, and its content, that a SQL file was read from."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Object key in the manifest bucket."""
    version_id: str | None
    """S3 VersionId, if the manifest bucket keeps versions."""
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
    """Its SQL dialect: `duckdb`, …"""
    placeholders: tuple[Placeholder, ...]
    statement_end: int
    """Offset in the text at which the statement ends, before a semicolon."""
    tables: tuple[str, ...]
    """Warehouse tables that the statement reads."""
    types: TypeChoices = DEFAULTS
    """The types chosen for wide integers, timestamps and numerics: the header's, else the
    warehouse's."""
    warnings: tuple[Problem, ...] = ()
    """Problems that do not keep the file from running."""
    code_version: str
    """A hash of the SQL and of the header keys that shape the data."""

    @property
    def doubts(self) -> list[str]:
        """Each warning, with its file and position."""
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
        """The path below EXTRACT_DATA of the object whose versions are the versions of the extract
        or partition: the file, or, for a split extract, the manifest object.
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
    """Whether another asset has its key, so that it is shown under a different key."""

    @property
    def file(self) -> str:
        return f"{self.path}{SUFFIX}"

    @property
    def reasons(self) -> list[str]:
        return [problem.at(self.file) for problem in self.problems]
