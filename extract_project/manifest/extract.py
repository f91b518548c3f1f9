"""One SQL file, understood: an Extract, or an InvalidExtract that says why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from extract_project.checks.contract import declared_types
from extract_project.formats.options import FileFormat, parse_compression
from extract_project.manifest.frontmatter import FrontMatter, Path, read_front_matter
from extract_project.manifest.header import Header, data_keys, read_header
from extract_project.manifest.incremental import WATERMARK, require_fitting_sql
from extract_project.manifest.named_columns import missing_columns
from extract_project.manifest.parameters import explain_unknown
from extract_project.manifest.partitions import Partition
from extract_project.problem import Problem, Refused, refuse, suggestion
from extract_project.sql.query import Placeholder, Query
from extract_project.values import Value

if TYPE_CHECKING:
    from extract_project.sql.guard import Statement

SUFFIX = ".sql"
PARTS_MANIFEST = "_manifest.json"
"""Name of the manifest object, where an extract is published in parts."""
PART_NAME = re.compile(r"part-([0-9]{5,})(\.[^/]*)?")
"""Name of a part object: its number, and its extension."""

# Object metadata, in which the path stands percent-encoded, holds 2 KB.
_PATH_BYTES = 256
_SHOWN_CHARACTERS = 200
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialects:
    """The configured warehouses: name to SQL dialect, and which one is the default."""

    by_warehouse: Mapping[str, str]
    default: str
    any_warehouse: str | None = None
    """The dialect of every other name, where files are checked without settings."""
    forbidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The functions that must not be used, of each warehouse that names some."""

    def of(self, warehouse: str) -> str | None:
        return self.by_warehouse.get(warehouse, self.any_warehouse)


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
    """Type of that warehouse: `duckdb`, …"""
    placeholders: tuple[Placeholder, ...]
    statement_end: int
    """Offset in the text at which the statement ends, before a semicolon."""
    tables: tuple[str, ...]
    """Warehouse tables that the statement reads."""
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
        return parse_compression(self.header.format, self.header.compression)

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
        return Query(self.text, self.placeholders, self.statement_end, values, declared)

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


def parse_extract(
    path: str, content: bytes, source: SqlSource, dialects: Dialects
) -> Extract | InvalidExtract:
    """Understand one file; never raises for what is in it (G6).

    `path` is the file's path below the manifest prefix without `.sql`.
    """
    text = ""
    try:
        _require_path(path)
        text = _decode(content)
        return _understand(path, text, source, dialects)
    except Refused as refused:
        problems = refused.problems
    except Exception as error:  # a fault of ours, or of a parser: it costs this file alone
        problems = (_not_understood(error),)
    shown = text or content.decode("utf-8", errors="replace")
    return InvalidExtract(path=path, source=source, text=shown, problems=problems)


def _not_understood(error: Exception) -> Problem:
    what = f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS]
    message = (
        f"this file is not understood, through no fault of its own ({what}): please report it with "
        f"the file; until then, try it with a simpler header or statement"
    )
    return Problem(line=1, column=1, message=message)


def _understand(path: str, text: str, source: SqlSource, dialects: Dialects) -> Extract:
    # Imported here because a run worker, which gets its extracts ready from a snapshot, never
    # parses SQL.
    from extract_project.sql.guard import read_statement

    front_matter = read_front_matter(text, Header.model_fields)
    header = read_header(front_matter)
    warehouse = (header.warehouse or dialects.default).lower()
    kind = dialects.of(warehouse)
    if kind is None:
        message = f"unknown warehouse {warehouse!r}: {suggestion(warehouse, dialects.by_warehouse)}"
        raise refuse(*front_matter.place(("warehouse",)), message)
    _require_no_nested_comment(front_matter, kind)
    statement = read_statement(
        text,
        kind,
        params=header.bound_names,
        explain=partial(explain_unknown, known=header.bound_names),
        forbidden=dialects.forbidden.get(warehouse, frozenset()),
    )
    _require_named_columns(header, front_matter)
    _require_params_are_used(header, statement, front_matter)
    _require_partition_is_used(header, statement, front_matter)
    require_fitting_sql(header, statement, text, front_matter)
    if header.on_source_change and not statement.tables:
        message = "the SQL reads no table, so that none can change: use a cron"
        raise refuse(*front_matter.place(("schedule",)), message)
    return Extract(
        path=path,
        source=source,
        text=text,
        header=header,
        warehouse=warehouse,
        kind=kind,
        placeholders=statement.placeholders,
        statement_end=statement.end,
        tables=statement.tables,
        warnings=statement.warnings,
        code_version=_code_version(statement, header, warehouse),
    )


def _require_no_nested_comment(front_matter: FrontMatter, kind: str) -> None:
    """Where comments nest, one that is opened within the header would swallow the SQL."""
    import sqlglot

    if front_matter.nested and sqlglot.Dialect.get_or_raise(kind).tokenizer_class.NESTED_COMMENTS:
        raise refuse(
            *front_matter.nested,
            f"{kind} counts this '/*' as the begin of another comment, so that the header has no "
            f"end: take it out, or write the header in lines that begin with '-- ', between two "
            f"lines '-- ---'",
        )


def _code_version(statement: Statement, header: Header, warehouse: str) -> str:
    """Comments, white space and what only describes the extract do not count."""
    words = "\x00".join(token.text for token in statement.tokens)
    keys = header.model_copy(update={"warehouse": warehouse}).model_dump_json(include=data_keys())
    if header.partitions:
        keys += header.partitions.model_dump_json(include={"type", "offset"})
        keys += header.partition_timezone
    if header.split:
        keys += header.split.model_dump_json()
    if header.incremental:
        keys += header.incremental.model_dump_json(include={"cursor"})
    return sha256(f"{words}\x00{keys}".encode()).hexdigest()[:16]


def _require_named_columns(header: Header, front_matter: FrontMatter) -> None:
    """Where the header says which columns the result has, its checks can name no others."""
    if header.columns is None:
        return
    problems = [
        Problem(line=line, column=column, message=message)
        for path, message in missing_columns(header, list(header.columns))
        for line, column in (front_matter.place(path),)
    ]
    if problems:
        raise Refused(*problems)


def _require_params_are_used(
    header: Header, statement: Statement, front_matter: FrontMatter
) -> None:
    used = {each.name for each in statement.placeholders}
    for name in header.params:
        if name not in used:
            message = f"the SQL does not use :{name}: use it, or remove it from 'params'"
            raise refuse(*front_matter.place(("params", name)), message)


def _require_partition_is_used(
    header: Header, statement: Statement, front_matter: FrontMatter
) -> None:
    if header.partitions is None:
        return
    names = header.partitions.bound_names
    if not {each.name for each in statement.placeholders}.intersection(names):
        shown = " or ".join(f":{name}" for name in names)
        raise refuse(
            *front_matter.place(("partitions",)),
            f"the SQL uses none of its partitions' values, so that all of them would hold the "
            f"same rows: use {shown} in it",
        )


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(1, 1, "this file is UTF-16: save it as UTF-8")
    try:
        text = content.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise refuse(
            line,
            column,
            f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8: "
            f"save the file as UTF-8",
        ) from None
    lines = text.rstrip()
    if lines.count("\r") - lines.count("\r\n") > lines.count("\n"):
        raise refuse(
            1,
            text.index("\r") + 1,
            "the lines of this file end with a carriage return alone, which databases do not all "
            "take for the end of a line: save it with line feeds (LF or CRLF)",
        )
    nul = text.find("\x00")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise refuse(line, nul - text.rfind("\n", 0, nul), "a NUL character: remove it")
    return text


def _require_path(path: str) -> None:
    """A path becomes an asset key, an S3 key and a file name: keep it plain and reversible."""
    parts = path.split("/")
    if any(part != part.strip() or part in ("", ".", "..") for part in parts):
        raise refuse(1, 1, f"the path {path!r} has an empty, blank or dotted part: rename the file")
    if parts[0].startswith(".extract"):
        raise refuse(1, 1, f"the folder {parts[0]!r} is reserved: rename it")
    if PART_NAME.fullmatch(parts[-1]):
        message = f"the name {parts[-1]!r} is that of a part of a split extract: rename the file"
        raise refuse(1, 1, message)
    odd = sorted(set(re.sub(r"[A-Za-z0-9_./-]", "", path)))
    if odd:
        raise refuse(
            1,
            1,
            f"the path {path!r} has {', '.join(map(repr, odd))}: "
            f"name files and folders with letters, digits, '_', '-' and '.'",
        )
    if len(path.encode()) > _PATH_BYTES:
        raise refuse(1, 1, f"the path is longer than {_PATH_BYTES} bytes: shorten it")
