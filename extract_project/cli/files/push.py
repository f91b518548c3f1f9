"""`extract push`: check, compare with the bucket, upload what changed, wait until it is live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click
from rich.progress import Progress
from rich.text import Text

from extract_project.cli.answers import print_answer
from extract_project.cli.console import (
    NO,
    err,
    explains_itself,
    json_option,
    out,
    transfer_columns,
)
from extract_project.cli.files.live import announce, make_live, show_loaded
from extract_project.cli.files.part import part_of, root_option
from extract_project.cli.files.refusals import refusals
from extract_project.cli.files.unseen import show_behind, show_unseen
from extract_project.cli.outcomes import PushAnswer, PushedFile, UnseenFile
from extract_project.manifest.lock import Lock, Seen, read_lock, write_lock
from extract_project.manifest.push import Changes, compare, seen_already
from extract_project.manifest.push import push as push_files
from extract_project.manifest.unseen import Judged, judge
from extract_project.settings import load_settings
from extract_project.store.folder import Folder


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@root_option
@click.option("--delete", is_flag=True, help="Also remove files that are only in the bucket.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace versions too that were never pulled or pushed from here: where a repository, and "
    "not the bucket, says what is newest.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Push files too that are invalid, that a warehouse refuses, or that break their readers.",
)
@click.option("--no-describe", is_flag=True, help="Do not ask warehouses about what changed.")
@click.option("--no-wait", is_flag=True, help="Do not have Dagster reload, and do not wait.")
@json_option
@explains_itself
def push(
    *,
    path: Path,
    root: Path | None,
    delete: bool,
    overwrite: bool,
    force: bool,
    no_describe: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Upload the SQL files of PATH that are new or changed.

    PATH is a folder or a file; each file goes to its own place in EXTRACT_MANIFEST. Nothing is
    overwritten that somebody else wrote since the last push or pull from here. Dagster reloads, and
    the command waits until they are live.

    \b
    extract push sql_manifest
    extract push sql_manifest/sales/orders.sql
    """
    told = err if as_json else out
    settings = load_settings()
    folders = settings.connect()
    manifest = folders.manifest
    part = part_of(manifest, path, root)
    lock = read_lock(part.root)
    seen = lock.of(manifest.uri)
    compared = compare(manifest, part.files, part.name)
    judged = judge(manifest, compared, part.files, seen, delete=delete, overwrite=overwrite)
    show_unseen(judged.unseen, overwrite=overwrite)
    show_behind(judged.behind)
    answer = _nothing_yet(manifest, judged, delete=delete)
    if (judged.unseen and not overwrite) or (judged.behind and delete):
        next_step = "pull the newer versions and merge them, or push with --overwrite"
        _nothing_pushed(next_step, answer, as_json=as_json)
    changes = judged.changes
    files = {name: file for name, file in part.files.items() if name not in judged.behind}
    found = refusals(settings, folders, part, files, delete=delete, without_warehouses=no_describe)
    reasons = list(found)
    for reason in reasons:
        err.print(reason)
    answer = answer.model_copy(update={"refusals": tuple(reasons)})
    if reasons and not force:
        next_step = "fix these files, or push them as they are with --force"
        _nothing_pushed(next_step, answer, as_json=as_json)
    if not no_wait and (changes.uploads or (delete and changes.removed)):
        announce(settings)
    pushed: dict[str, Seen | None] = {}
    try:
        upload(manifest, files, changes, pushed, delete=delete)
    finally:
        known = dict(seen_already(manifest, files, changes, seen))
        _remember(part.root, lock, manifest, {**known, **pushed})
    files_pushed = tuple(_pushed(changes, *each) for each in sorted(pushed.items()))
    for each in files_pushed:
        kept = "its versions stay" if each.change == "removed" else f"version {each.version_id}"
        told.print(Text.assemble(f"{each.change:8} {each.file} ", (kept, "dim")))
    told.print(
        f"{settings.manifest}: {len(changes.added)} added, {len(changes.changed)} changed, "
        f"{len(changes.removed)} {'removed' if delete else 'only in the bucket'}, "
        f"{len(changes.same)} unchanged"
    )
    loaded = make_live(settings, list(pushed)) if pushed and not no_wait else None
    if loaded:
        show_loaded(loaded, told)
    if as_json:
        print_answer(
            PushAnswer, answer.model_copy(update={"pushed": files_pushed, "loaded": loaded})
        )
    if loaded and not loaded.all_live:
        raise SystemExit(NO)


def push_folder(manifest: Folder, files: Mapping[str, Path]) -> Changes:
    """Upload what changed, whoever has written what is there."""
    changes = compare(manifest, files)
    upload(manifest, files, changes, {}, delete=False)
    return changes


def upload(
    manifest: Folder,
    files: Mapping[str, Path],
    changes: Changes,
    pushed: dict[str, Seen | None],
    *,
    delete: bool,
) -> None:
    """Upload with a progress bar; adds each file to `pushed` once it is written."""
    total = len(changes.uploads) + (len(changes.removed) if delete else 0)
    with Progress(*transfer_columns(), console=err, transient=True) as progress:
        task = progress.add_task("pushing SQL files", total=total)
        for name, written in push_files(manifest, files, changes, delete=delete):
            pushed[name] = written
            progress.advance(task)


def _remember(root: Path, lock: Lock, manifest: Folder, seen: Mapping[str, Seen | None]) -> None:
    if seen:
        write_lock(root, lock.updated(manifest.uri, seen))


def _pushed(changes: Changes, name: str, written: Seen | None) -> PushedFile:
    if written is None:
        return PushedFile(file=name, change="removed", version_id=None)
    change: Literal["added", "changed"] = "added" if name in changes.added else "changed"
    return PushedFile(file=name, change=change, version_id=written.version_id)


def _nothing_yet(manifest: Folder, judged: Judged, *, delete: bool) -> PushAnswer:
    """What is known before anything is pushed."""
    return PushAnswer(
        manifest=manifest.uri,
        pushed=(),
        only_in_bucket=() if delete else judged.changes.removed,
        unchanged=len(judged.changes.same),
        behind=judged.behind,
        unseen=tuple(
            UnseenFile(file=each.name, message=str(each), diff=tuple(each.lines()))
            for each in judged.unseen
        ),
        refusals=(),
        loaded=None,
    )


def _nothing_pushed(next_step: str, answer: PushAnswer, *, as_json: bool) -> None:
    err.print(Text.assemble(("nothing pushed", "red"), f": {next_step}"))
    if as_json:
        print_answer(PushAnswer, answer)
    raise SystemExit(NO)
