"""Parse a SQL file's bytes into an Extract, or an InvalidExtract with every reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from extract_project.manifest.defaults import NOTHING, Inherited
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.fields.params import explain_unknown
from extract_project.manifest.header.frontmatter import FrontMatter, read_front_matter
from extract_project.manifest.header.layers import laid_over, read_layer, require_consistent
from extract_project.manifest.header.model import Header
from extract_project.manifest.sql_file import require_path
from extract_project.manifest.text import decode
from extract_project.problem import Problem, Refused, suggestion
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.source import SqlSource
from extract_project.sql.dialect import Dialect
from extract_project.sql.query import Placeholder

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Dialects:
    """The dialect of each configured warehouse, by its name, the default warehouse, and the
    destinations.
    """

    by_warehouse: Mapping[str, Dialect]
    default: str
    any_warehouse: Dialect | None = None
    """The dialect of all other names, if files are checked without settings."""
    forbidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The forbidden functions of each warehouse that has any."""
    types: Mapping[str, TypeChoices] = field(default_factory=dict)
    """The types chosen for wide types, of each warehouse whose settings have them."""
    destinations: frozenset[str] | None = None
    """The configured names; None if files are checked without settings."""

    @property
    def warehouses(self) -> Collection[str] | None:
        """The configured names; None if files are checked without settings."""
        return None if self.any_warehouse else self.by_warehouse

    def of(self, warehouse: str) -> Dialect | None:
        return self.by_warehouse.get(warehouse, self.any_warehouse)


def parse_extract(
    path: str,
    content: bytes,
    source: SqlSource,
    dialects: Dialects,
    inherited: Inherited = NOTHING,
) -> Extract | InvalidExtract:
    """Parse one file; never raises, whatever its content (G6).

    `path` is the file's path below the manifest prefix without `.sql`; `inherited`, the defaults
    that reach it.
    """
    text = ""
    try:
        require_path(path)
        text = decode(content)
        return _understand(path, text, source, dialects, inherited)
    except Refused as refused:
        problems = refused.problems
    except Exception as error:  # a bug of ours, or of a parser: it affects only this file
        problems = (_not_understood(error),)
    shown = text or content.decode("utf-8", errors="replace")
    return InvalidExtract(
        path=path, source=source, text=shown, problems=problems, defaults=inherited.files
    )


def _understand(
    path: str, text: str, source: SqlSource, dialects: Dialects, inherited: Inherited
) -> Extract:
    # Imported here because a run worker never parses SQL: it gets parsed extracts from a
    # snapshot.
    from extract_project.manifest.agreement import (
        require_agreement,
        require_comment_ends,
        require_limits,
        with_engine,
    )
    from extract_project.manifest.code_version import code_version
    from extract_project.manifest.descriptions import descriptions, undescribable
    from extract_project.sql.column_comments import column_comments
    from extract_project.sql.guard import read_statement

    try:
        own = read_layer(read_front_matter(text, Header.model_fields))
    except Refused as refused:
        raise Refused(*inherited.problems, *refused.problems) from None
    if inherited.problems:
        raise Refused(*inherited.problems)
    layer = laid_over(own, inherited.layer)
    warehouse = (layer.header.warehouse or dialects.default).lower()
    dialect = dialects.of(warehouse)
    if dialect is not None:
        layer = with_engine(layer, dialect)
    require_consistent(layer)
    front_matter, header = layer.front_matter, layer.header
    if dialect is None:
        message = f"unknown warehouse {warehouse!r}: {suggestion(warehouse, dialects.by_warehouse)}"
        raise front_matter.refuse(("warehouse",), message)
    _require_destinations(header, front_matter, dialects)
    require_comment_ends(front_matter, dialect)
    require_limits(header, front_matter, dialect)
    statement = read_statement(
        text,
        dialect,
        params=header.bound_names,
        explain=partial(explain_unknown, known=header.bound_names),
        forbidden=dialects.forbidden.get(warehouse, frozenset()),
    )
    require_agreement(header, statement, text, front_matter)
    unknown = [
        front_matter.problem(path, message)
        for path, message in undescribable(header, list(header.columns or ()))
        if front_matter.set_in(path) is None  # what a folder describes, only some files have
    ]
    chosen = header.types(dialects.types.get(warehouse, DEFAULTS))
    types = chosen.limited_to(dialect.type_choices)
    header = _with_used_params(header, statement.placeholders)
    return Extract(
        path=path,
        source=source,
        defaults=inherited.files,
        text=text,
        header=header,
        warehouse=warehouse,
        kind=dialect.name,
        placeholders=statement.placeholders,
        statement_end=statement.end,
        tables=statement.tables,
        warnings=(*statement.warnings, *unknown),
        types=types,
        descriptions=descriptions(header, column_comments(text, statement.tokens, dialect.lexicon)),
        code_version=code_version(statement, header, warehouse, types),
    )


def _with_used_params(header: Header, placeholders: Iterable[Placeholder]) -> Header:
    """Without the parameters of defaults that the SQL does not use, which change nothing of it."""
    used = {each.name for each in placeholders}
    params = {name: value for name, value in header.params.items() if name in used}
    return header.model_copy(update={"params": params})


def _require_destinations(header: Header, front_matter: FrontMatter, dialects: Dialects) -> None:
    for name in header.to:
        if dialects.destinations is not None and name not in dialects.destinations:
            hint = suggestion(name, dialects.destinations)
            raise front_matter.refuse(("to",), f"unknown destination {name!r}: {hint}")


def _not_understood(error: Exception) -> Problem:
    what = f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS]
    message = (
        f"this file could not be parsed, because of a bug in the parser ({what}): please report it "
        f"with the file; until then, try a simpler header or statement"
    )
    return Problem(line=1, column=1, message=message)
