"""A manifest of texts: SQL files and defaults, without a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from extract_project.manifest.bucket import FetchedFile, fetched_defaults, parse_fetched
from extract_project.manifest.defaults import DefaultsTree
from extract_project.manifest.extract import Extract, InvalidExtract, is_sql
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.together import sort_out
from extract_project.source import SqlSource
from extract_project.sql.duckdb import DuckDB
from extract_project.sql.postgres import Postgres

DIALECTS = Dialects({"shop": DuckDB(), "other": Postgres()}, "shop")


def understood(files: Mapping[str, str | bytes]) -> dict[str, Extract | InvalidExtract]:
    """Each SQL file of a manifest by its path, as reading the bucket would understand it."""
    fetched = [_file(name, content) for name, content in files.items()]
    tree = DefaultsTree.of(
        fetched_defaults(each, DIALECTS) for each in fetched if not is_sql(each.name)
    )
    parsed = [parse_fetched(each, DIALECTS, tree) for each in fetched if is_sql(each.name)]
    extracts, invalid = sort_out(parsed)
    found: list[Extract | InvalidExtract] = [*extracts, *invalid]
    return {each.path: each for each in found}


def understood_one(files: Mapping[str, str | bytes]) -> Extract:
    """The only SQL file, which is valid."""
    (found,) = understood(files).values()
    assert isinstance(found, Extract), found.reasons
    return found


def refused_one(files: Mapping[str, str | bytes]) -> list[str]:
    """Why the only SQL file is invalid."""
    (found,) = understood(files).values()
    assert isinstance(found, InvalidExtract), found.header
    return found.reasons


def _file(name: str, content: str | bytes) -> FetchedFile:
    body = content.encode() if isinstance(content, str) else content
    digest = sha256(body).hexdigest()
    source = SqlSource(key=f"sql/{name}", version_id=digest[:8], etag=digest, sha256=digest)
    return FetchedFile(name, body, source)
