"""Why a push is refused: invalid files, queries that a warehouse refuses, and broken readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from extract_project.cli.console import err
from extract_project.cli.files.broken import broken_readers
from extract_project.cli.files.part import Part
from extract_project.errors import ManifestError, StoreError, WarehouseError
from extract_project.manifest.extract import SUFFIX, Extract, is_sql
from extract_project.manifest.others import read_others
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.push import defaults_after_push
from extract_project.planning.describe import Described, describe
from extract_project.planning.plan import Planned
from extract_project.planning.plan import plan as plan_push
from extract_project.settings import Settings
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders


def refusals(
    settings: Settings,
    folders: Folders,
    part: Part,
    files: Mapping[str, Path],
    *,
    delete: bool,
    without_warehouses: bool,
) -> Iterable[str]:
    """Why these files of a part should not be pushed: invalid, refused by a warehouse, or breaking
    readers.

    Files that are only in the bucket count too, where the push makes them invalid.
    """
    dialects = settings.dialects
    others = read_others(folders)
    planned = plan_push(
        folders.manifest, dict(files), dialects, delete=delete, part=part.name, others=others
    )
    paths = {name[: -len(SUFFIX)] for name in files if is_sql(name)}
    reasons = _problems_of_defaults(folders.manifest, dialects, part, files, delete=delete)
    for each in planned:
        if each.path in paths or isinstance(each.before, Extract):
            reasons += each.problems
    yield from dict.fromkeys(reasons)
    pushed = [each for each in planned if each.change in ("new", "changed")]
    described = {} if without_warehouses else _described(settings, folders, pushed)
    broken = broken_readers(settings, planned, described)
    for each in planned:
        found = described.get(each.path)
        if found and found.refusal:
            yield found.refusal
        if each.path in broken:
            yield f"{each.path}: {broken[each.path]}"


def _problems_of_defaults(
    manifest: Folder, dialects: Dialects, part: Part, files: Mapping[str, Path], *, delete: bool
) -> list[str]:
    staying = [
        name
        for name in part.in_bucket
        if name not in files and not (delete and name.startswith(part.name))
    ]
    tree = defaults_after_push(manifest, files, staying, dialects)
    return [problem.at(problem.defaults) for problem in tree.problems if problem.defaults in files]


def _described(
    settings: Settings, folders: Folders, pushed: Iterable[Planned]
) -> dict[str, Described]:
    try:
        with err.status("asking warehouses about what changed"):
            asked = describe(folders, settings.warehouses, pushed)
            return {each.path: described for each, described in asked}
    except (WarehouseError, StoreError) as error:
        raise ManifestError(
            f"{error}\nto push without comparing schemas of the warehouse and of what is "
            f"published: --no-describe"
        ) from None
