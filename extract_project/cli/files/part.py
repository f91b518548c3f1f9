"""The part of the manifest that a local file or folder is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from extract_project.cli.console import err
from extract_project.errors import ManifestError
from extract_project.manifest.bucket import list_files
from extract_project.manifest.defaults import is_defaults
from extract_project.manifest.extract import is_sql
from extract_project.manifest.roots import below, find_root, inside
from extract_project.store.folder import Folder

root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that is the manifest's root, where it is not found by itself.",
)


@dataclass(frozen=True)
class Part:
    """A local file or folder, and its place in the manifest."""

    root: Path
    name: str
    """`sales/` or `sales/orders.sql`; nothing for the whole manifest."""
    files: Mapping[str, Path]
    in_bucket: Sequence[str]
    """Every file of the whole manifest, as it was listed."""


def part_of(manifest: Folder, path: Path, root: Path | None) -> Part:
    """The place of a local file or folder in the manifest; says so if it is not all of it."""
    if path.is_file() and not (is_sql(path.name) or is_defaults(path.name)):
        raise ManifestError(f"{path} is no SQL file, and no _defaults.yaml")
    names = [manifest.relative(file.key) for file in list_files(manifest)]
    found = root or find_root(path, names)
    if not path.resolve().is_relative_to(found.resolve()):
        raise ManifestError(f"{path} is not below {found}: give the manifest's root as --root")
    files = below(found, path)
    name = inside(found, path) if path.is_dir() else next(iter(files))
    if name:
        err.print(f"{path} is {name} of the manifest, whose root here is {found}")
    return Part(found, name, files, names)
