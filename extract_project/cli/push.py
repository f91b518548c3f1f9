"""`extract push`: check, show what would change, upload what changed."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import Progress
from rich.text import Text

from extract_project.cli.console import NO, err, explains_itself, out, transfer_columns
from extract_project.cli.live import announce, make_live
from extract_project.manifest.bucket import list_files
from extract_project.manifest.extract import SUFFIX, InvalidExtract, is_sql
from extract_project.manifest.folder import manifest_files, parse_folder
from extract_project.manifest.push import Changes, compare, defaults_after_push
from extract_project.manifest.push import push as push_files
from extract_project.settings import Settings, load_settings


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--delete", is_flag=True, help="Also remove files that are only in the bucket.")
@click.option("--force", is_flag=True, help="Push invalid files too; they are red in the UI.")
@click.option("--no-wait", is_flag=True, help="Do not have Dagster reload, and do not wait.")
@explains_itself
def push(folder: Path, delete: bool, force: bool, no_wait: bool) -> None:
    """Upload the SQL files of FOLDER that are new or changed.

    They go to EXTRACT_MANIFEST. Dagster reloads, and the command waits until they are live.

    \b
    extract push sql_manifest
    """
    settings = load_settings()
    files = manifest_files(folder)
    reasons = invalid_reasons(settings, folder, files, delete=delete)
    for reason in reasons:
        err.print(reason)
    if reasons and not force:
        err.print(
            Text.assemble(
                ("nothing pushed", "red"),
                ": fix these files, or push them as they are with --force",
            )
        )
        raise SystemExit(NO)
    if not no_wait:
        announce(settings)
    changes = push_folder(settings, files, delete=delete)
    out.print(
        f"{settings.manifest}: {len(changes.added)} added, {len(changes.changed)} changed, "
        f"{len(changes.removed)} {'removed' if delete else 'only in the bucket'}, "
        f"{len(changes.same)} unchanged"
    )
    pushed = [*changes.uploads, *(changes.removed if delete else ())]
    if pushed and not no_wait and not make_live(settings, pushed):
        raise SystemExit(NO)


def push_folder(settings: Settings, files: dict[str, Path], *, delete: bool) -> Changes:
    """Upload with a progress bar, and say what changed."""
    manifest = settings.connect().manifest
    changes = compare(manifest, files)
    total = len(changes.uploads) + (len(changes.removed) if delete else 0)
    with Progress(*transfer_columns(), console=err, transient=True) as progress:
        task = progress.add_task("pushing SQL files", total=total)
        push_files(
            manifest,
            files,
            changes,
            delete=delete,
            done=lambda _: progress.advance(task),
        )
    return changes


def invalid_reasons(
    settings: Settings, folder: Path, files: dict[str, Path], *, delete: bool
) -> list[str]:
    """Every problem of every file, each with its place.

    What is in the bucket alone can be depended on as well; defaults that stay there count.
    """
    manifest = settings.connect().manifest
    listed = [manifest.relative(file.key) for file in list_files(manifest)]
    staying = [] if delete else [name for name in listed if name not in files]
    tree = defaults_after_push(manifest, files, staying, settings.dialects)
    reasons = [problem.at(problem.defaults) for problem in tree.problems]
    known = {name[: -len(SUFFIX)] for name in listed if is_sql(name)}
    for parsed in parse_folder(folder, files, settings.dialects, tree, known).values():
        if isinstance(parsed, InvalidExtract):
            reasons += parsed.reasons
    return list(dict.fromkeys(reasons))
