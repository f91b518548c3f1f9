"""`extract check`: lint SQL files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from extract_project.cli.console import NO, explains_itself, json_option, out
from extract_project.errors import SettingsError
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.folder import parse_folder, sql_files
from extract_project.manifest.parsing import Dialects
from extract_project.problem import Problem
from extract_project.settings import load_settings
from extract_project.warehouses import WAREHOUSE_TYPES, dialect_of


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--dialect",
    type=click.Choice(WAREHOUSE_TYPES),
    help="The SQL dialect, if no warehouse is configured.",
)
@json_option
@explains_itself
def check(paths: tuple[Path, ...], dialect: str | None, as_json: bool) -> None:
    """Find mistakes in headers, SQL and dependencies.

    Exit code 1 when one is invalid; warnings alone do not count.

    \b
    extract check sql_manifest
    extract check sales/orders.sql --dialect snowflake
    """
    dialects = _dialects(dialect)
    results = [found for path in paths for found in _checked(path, dialects)]
    found = [
        (file, problem, severity) for file, result in results for problem, severity in _said(result)
    ]
    invalid = sum(isinstance(result, InvalidExtract) for _, result in results)
    if as_json:
        shown = [
            {"file": str(file), **problem.model_dump(), "severity": severity}
            for file, problem, severity in found
        ]
        click.echo(json.dumps(shown, indent=2))
    else:
        for file, problem, severity in found:
            word = "warning: " if severity == "warning" else ""
            out.print(
                problem.model_copy(update={"message": word + problem.message}).at(str(file)),
            )
        out.print(f"{len(results)} files, {invalid} invalid")
    raise SystemExit(NO if invalid else 0)


def _checked(path: Path, dialects: Dialects) -> list[tuple[Path, Extract | InvalidExtract]]:
    """Parse a folder as if it were the manifest, or one file of it."""
    folder, files = (path, sql_files(path)) if path.is_dir() else (path.parent, {path.name: path})
    found = parse_folder(folder, files, dialects)
    return [(files[name], parsed) for name, parsed in sorted(found.items())]


def _said(result: Extract | InvalidExtract) -> list[tuple[Problem, str]]:
    """The errors and warnings of a file."""
    if isinstance(result, InvalidExtract):
        return [(problem, "error") for problem in result.problems]
    return [(warning, "warning") for warning in result.warnings]


def _dialects(dialect: str | None) -> Dialects:
    """The dialects of the configured warehouses, or of an assumed one if there are no settings."""
    if dialect:
        return Dialects({}, "default", any_warehouse=dialect_of(dialect))
    try:
        return load_settings().dialects
    except SettingsError as error:
        raise SettingsError(
            f"{error}\nor name the SQL dialect, which needs no settings: --dialect duckdb"
        ) from None
