"""`extract pull`: fetch the SQL files of the manifest."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from extract_project.cli.answers import print_answer
from extract_project.cli.console import NO, err, explains_itself, json_option, out
from extract_project.cli.outcomes import PullAnswer
from extract_project.manifest.lock import Seen, read_lock, write_lock
from extract_project.manifest.pull import plan_pull, write_pulled
from extract_project.settings import load_settings

_COLOURS = {"added": "green", "changed": "yellow", "removed": "red", "kept": "red"}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Give up what was changed here.")
@json_option
@explains_itself
def pull(folder: Path, overwrite: bool, as_json: bool) -> None:
    """Fetch the SQL files of EXTRACT_MANIFEST into FOLDER.

    A file that was changed both here and in the bucket is kept as it is here. Exit code 1 if there
    is one.

    \b
    extract pull sql_manifest
    """
    told = err if as_json else out
    manifest = load_settings().connect().manifest
    lock = read_lock(folder)
    with err.status(f"reading {manifest}"):
        planned = plan_pull(manifest, folder, lock.of(manifest.uri), overwrite=overwrite)
    kept = [each for each in planned.changes if each.change == "kept"]
    seen: dict[str, Seen | None] = dict(planned.same)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for each in planned.changes:
            told.print(Text.assemble((f"{each.change:8}", _COLOURS[each.change]), f" {each.name}"))
            if each.change != "kept":
                write_pulled(folder, each)
                seen[each.name] = each.seen
    finally:
        write_lock(folder, lock.updated(manifest.uri, seen))
    written = len(planned.changes) - len(kept)
    told.print(f"{manifest}: {written} files pulled, {len(kept)} kept as they are here")
    if as_json:
        files = [
            {
                "file": each.name,
                "change": each.change,
                "version_id": each.seen and each.seen.version_id,
            }
            for each in planned.changes
        ]
        answer = {"manifest": manifest.uri, "folder": str(folder), "files": files}
        print_answer(PullAnswer, answer)
    if kept:
        err.print(
            "the bucket has other versions of what is kept: compare them with "
            f"'extract plan {folder} --diff'; 'extract pull --overwrite' takes the bucket's, "
            "'extract push --overwrite' yours"
        )
        raise SystemExit(NO)
