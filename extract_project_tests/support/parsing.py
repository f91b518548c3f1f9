"""Parse the text of a SQL file, without a bucket."""

from __future__ import annotations

from hashlib import sha256

from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.source import SqlSource
from extract_project.warehouses import dialect_of


def parse(
    text: str | bytes, dialect: str = "duckdb", path: str = "a/b"
) -> Extract | InvalidExtract:
    content = text.encode() if isinstance(text, str) else text
    source = SqlSource(
        key=f"sql/{path}.sql", version_id="v1", etag="e1", sha256=sha256(content).hexdigest()
    )
    return parse_extract(path, content, source, Dialects({"shop": dialect_of(dialect)}, "shop"))


def valid(text: str | bytes, dialect: str = "duckdb") -> Extract:
    found = parse(text, dialect)
    assert isinstance(found, Extract), found.reasons
    return found


def reasons(text: str | bytes, dialect: str = "duckdb") -> list[str]:
    """What is said of an invalid file, without its name: `2:1: unknown key …`."""
    found = parse(text, dialect)
    assert isinstance(found, InvalidExtract), f"accepted: {text!r}"
    return [reason.removeprefix("a/b.sql:") for reason in found.reasons]


def header(yaml: str, sql: str = "select 1 as one") -> str:
    return f"/*---\n{yaml}\n---*/\n{sql}"
