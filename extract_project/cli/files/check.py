"""`extract check`: lint SQL files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from extract_project.cli.answers import CheckAnswer, print_answer
from extract_project.cli.console import NO, explains_itself, json_option, out
from extract_project.errors import SettingsError, StoreError
from extract_project.manifest.defaults import DefaultsTree, is_defaults
from extract_project.manifest.extract import InvalidExtract
from extract_project.manifest.folder import (
    defaults_from_above,
    local_defaults,
    manifest_files,
    parse_folder,
)
from extract_project.manifest.others import OtherManifest, read_others
from extract_project.manifest.parsing import Dialects
from extract_project.problem import Problem
from extract_project.settings import Settings, load_settings
from extract_project.warehouses import dialect_of, warehouse_types


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--dialect",
    type=click.Choice(warehouse_types()),
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
    dialects, others = _known(dialect)
    checked = [_checked(path, dialects, others) for path in paths]
    found = list(dict.fromkeys(each for one in checked for each in one.said))
    files, invalid = sum(each.files for each in checked), sum(each.invalid for each in checked)
    if as_json:
        shown = [
            {
                "file": str(file),
                **problem.model_dump(exclude={"defaults"}),
                "severity": severity,
            }
            for file, problem, severity in found
        ]
        print_answer(CheckAnswer, shown)
    else:
        for file, problem, severity in found:
            word = "warning: " if severity == "warning" else ""
            named = {"message": word + problem.message, "defaults": ""}
            out.print(problem.model_copy(update=named).at(str(file)))
        out.print(f"{files} files, {invalid} invalid")
    raise SystemExit(NO if invalid else 0)


@dataclass(frozen=True)
class _Checked:
    """The results for one path of the command line."""

    files: int
    invalid: int
    said: tuple[tuple[Path, Problem, str], ...]
    """Each problem once, with its file and its severity, however many files it concerns."""


def _checked(path: Path, dialects: Dialects, others: Sequence[OtherManifest]) -> _Checked:
    """Parse a folder as if it were the manifest, or one file of it.

    Defaults stand for their folder, because each file below may be wrong because of them.
    """
    if path.is_dir() or is_defaults(path.name):
        folder = path if path.is_dir() else path.parent
        files = manifest_files(folder)
        above = defaults_from_above(folder.resolve().parent, dialects, folder)
    else:
        folder, files = path.parent, {path.name: path}
        above = defaults_from_above(folder, dialects, folder)
    tree = DefaultsTree.of(local_defaults(files, dialects), above)
    said = [(_file(folder, problem), problem, "error") for problem in tree.problems]
    found = parse_folder(folder, files, dialects, tree, others=others)
    for name, parsed in sorted(found.items()):
        if isinstance(parsed, InvalidExtract):
            said += [(_file(folder, each, files[name]), each, "error") for each in parsed.problems]
        else:
            said += [(files[name], each, "warning") for each in parsed.warnings]
    invalid = sum(isinstance(each, InvalidExtract) for each in found.values())
    wrong = {problem.defaults for problem in tree.problems}
    return _Checked(len(files), invalid + len(wrong & files.keys()), tuple(said))


def _file(folder: Path, problem: Problem, sql_file: Path = Path()) -> Path:
    """Which file a problem is in: the SQL file, or one of its defaults."""
    if problem.defaults:
        return Path(os.path.normpath(folder / problem.defaults))
    return sql_file


def _known(dialect: str | None) -> tuple[Dialects, Sequence[OtherManifest]]:
    """The dialects of the configured warehouses, and the other manifests; without settings, an
    assumed dialect.
    """
    if dialect:
        return Dialects({}, "default", any_warehouse=dialect_of(dialect)), ()
    try:
        settings = load_settings()
    except SettingsError as error:
        raise SettingsError(
            f"{error}\nor name the SQL dialect, which needs no settings: --dialect duckdb"
        ) from None
    return settings.dialects, _others(settings) if settings.upstream_manifests else ()


def _others(settings: Settings) -> Sequence[OtherManifest]:
    """Out of reach, they concern only the files that depend on them."""
    folders = settings.connect()
    try:
        return read_others(folders)
    except StoreError as error:
        return [OtherManifest(uri, unknown=str(error)) for uri in folders.upstream_manifests]
