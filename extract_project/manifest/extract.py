"""A parsed SQL file: an Extract, or an InvalidExtract with the reasons."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from extract_project.checks.contract import declared_types
from extract_project.errors import ManifestError
from extract_project.formats.protocol import FileFormat
from extract_project.layout import PARTS_MANIFEST
from extract_project.manifest.defaults import merged_front_matter
from extract_project.manifest.fields.incremental import WATERMARK
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.fields.path import Naming
from extract_project.manifest.header.frontmatter import FrontMatter, Path, read_front_matter
from extract_project.manifest.header.model import Header
from extract_project.problem import Problem, Refused, suggestion
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.source import DefaultsFile, SqlSource
from extract_project.sql.query import Placeholder, Query
from extract_project.values import Value

SUFFIX = ".sql"


def is_sql(name: str) -> bool:
    """Whether a file is an extract's, by its name."""
    return name.lower().endswith(SUFFIX)


class Extract(BaseModel):
    """A valid SQL file. `path` is its name everywhere: `sales/orders`."""

    model_config = ConfigDict(frozen=True)

    path: str
    source: SqlSource
    defaults: tuple[DefaultsFile, ...] = ()
    """The defaults that reach it, from the root of the manifest down."""
    text: str
    header: Header
    """The parsed header, merged with its defaults."""
    warehouse: str
    """Name of the warehouse, with the default filled in."""
    kind: str
    """Its SQL dialect: `duckdb`, …"""
    placeholders: tuple[Placeholder, ...]
    statement_end: int
    """Offset in the text at which the statement ends, before a semicolon."""
    tables: tuple[str, ...]
    """Warehouse tables that the statement reads."""
    descriptions: dict[str, str] = {}
    """What columns mean, by name, as far as the file says so."""
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
    def modified(self) -> datetime | None:
        """When the file, or the defaults that reach it, were last written to the bucket."""
        sources = (self.source, *(each.source for each in self.defaults))
        return max((each.modified for each in sources if each.modified), default=None)

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
    def destination(self) -> str:
        """Name of the destination where it is published; of several, the first."""
        return self.header.to[0]

    def at(self, destination: str) -> Extract:
        """The extract as it is at one of its destinations; raises ManifestError for another."""
        if destination not in self.header.to:
            raise ManifestError(
                f"{self.path} is not published at {destination!r}: "
                f"{suggestion(destination, self.header.to)}"
            )
        return self.model_copy(
            update={"header": self.header.model_copy(update={"to": [destination]})}
        )

    @property
    def file_format(self) -> FileFormat:
        return self.header.file_format

    def published_path(self, partition: str | None = None) -> str:
        """The path below its destination of the object whose versions are the versions of the
        extract or partition: the file, or, for a split extract, the manifest object.
        """
        try:
            return self.naming.at(partition)
        except ValueError:
            raise ManifestError(f"{self.path} has no partition {partition!r}") from None

    @property
    def naming(self) -> Naming:
        """The paths of its objects below its destination."""
        header = self.header
        template = header.path or _template(header)
        if header.has_parts:
            template = f"{template}/{PARTS_MANIFEST}"
        return Naming(template, self.path, header.form_of_keys)

    def query(self, partition: Partition | None = None, watermark: Value = None) -> Query:
        """The statement with its values, ready for a warehouse."""
        values = {**self.header.params, **(partition.values if partition else {})}
        if self.header.incremental:
            values[WATERMARK] = watermark
        declared = declared_types(self.header.columns)
        end = self.statement_end
        return Query(
            self.text,
            self.placeholders,
            end,
            values,
            declared,
            self.types,
            self.header.max_bytes,
        )

    @property
    def front_matter(self) -> FrontMatter:
        """The header as it was written, in the file and in its defaults."""
        return merged_front_matter(read_front_matter(self.text), self.defaults).front_matter

    def problem(self, path: Path, message: str) -> Problem:
        """A fault of a header key, at its place in the file; a default's place is named."""
        try:
            return self.front_matter.problem(path, message)
        except Refused:  # a header of another release
            return Problem(line=1, column=1, message=message)


def _template(header: Header) -> str:
    """The `path` of an extract whose header has none."""
    folder = "{folder}/{name}" + ("/partition={partition}" if header.partitions else "")
    if header.has_parts:
        return folder
    file = f"{folder}/{{name}}" if header.partitions else folder
    return f"{file}{header.file_format.extension}"


class InvalidExtract(BaseModel):
    """A SQL file that cannot run, and every reason why."""

    model_config = ConfigDict(frozen=True)

    path: str
    source: SqlSource
    defaults: tuple[DefaultsFile, ...] = ()
    """The defaults that reach it, from the root of the manifest down."""
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
