"""`extract plan`: show what a push would change."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from extract_project.cli.answers import PlanAnswer, print_answer
from extract_project.cli.console import NO, err, explains_itself, json_option, marked, out
from extract_project.cli.files.broken import broken_readers
from extract_project.cli.files.part import part_of, root_option
from extract_project.cli.files.plan_markdown import Told, markdown
from extract_project.manifest.others import read_others
from extract_project.planning.breaking import Breaking
from extract_project.planning.describe import Described, describe
from extract_project.planning.plan import Planned
from extract_project.planning.plan import plan as plan_push
from extract_project.schema.spelling import spelled
from extract_project.settings import load_settings
from extract_project.units import format_bytes

if TYPE_CHECKING:
    import pyarrow as pa

_COLOURS = {"new": "green", "changed": "yellow", "removed": "red", "invalid": "red"}
_SAME = "same"
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@root_option
@click.option("--delete", is_flag=True, help="Plan a push with --delete.")
@click.option("--diff", is_flag=True, help="Show the changed lines of SQL files.")
@click.option("--no-describe", is_flag=True, help="Do not ask warehouses for schemas.")
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Compare unchanged files with what is published too: after settings changed, or an "
    "upgrade.",
)
@click.option(
    "--fail-on-breaking",
    is_flag=True,
    help="Exit code 1 too when a change breaks a consumer, or an extract or an asset of Dagster "
    "that depends on it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    help="markdown: for a comment on a pull request, no longer than one may be.",
)
@json_option
@explains_itself
def plan(
    *,
    path: Path,
    root: Path | None,
    delete: bool,
    diff: bool,
    no_describe: bool,
    whole: bool,
    fail_on_breaking: bool,
    form: str,
    as_json: bool,
) -> None:
    """Show what pushing PATH, a folder or a file, would change.

    Nothing is written, and no query runs: the warehouses only describe what is new or changed. Exit
    code 1 when a file is invalid or a warehouse refuses its query.

    \b
    extract plan sql_manifest
    extract plan sql_manifest --diff --no-describe
    extract plan sql_manifest --diff --format markdown
    """
    settings = load_settings()
    folders = settings.connect()
    part = part_of(folders.manifest, path, root)
    planned = plan_push(
        folders.manifest,
        dict(part.files),
        settings.dialects,
        delete=delete,
        whole=whole,
        part=part.name,
        others=read_others(folders),
    )
    schemas: dict[str, Described] = {}
    if not no_describe:
        with err.status("asking warehouses"):
            asked = describe(folders, settings.warehouses, planned)
            schemas = {each.path: described for each, described in asked}
    broken = broken_readers(settings, planned, schemas)
    if as_json:
        found = [
            _plain(each, schemas.get(each.path), broken.get(each.path), diff) for each in planned
        ]
        print_answer(PlanAnswer, found)
    else:
        told = [
            _told(each, schemas.get(each.path), broken.get(each.path), diff)
            for each in planned
            if each.change != _SAME or _is_worth_showing(schemas.get(each.path))
        ]
        counts = ", ".join(
            f"{sum(each.change == change for each in planned)} {change}" for change in _COLOURS
        )
        summary = f"{settings.manifest}: {counts}"
        if form == "markdown":
            click.echo(markdown(summary, told), nl=False)
        else:
            for each in told:
                _print(each)
            out.print(summary)
    refused = any(each.refusal for each in schemas.values())
    hit = fail_on_breaking and bool(broken)
    raise SystemExit(NO if refused or hit or any(each.problems for each in planned) else 0)


def _is_worth_showing(described: Described | None) -> bool:
    return described is not None and bool(
        described.changes or described.refusal or described.narrowed or described.doubts
    )


def _told(
    planned: Planned, described: Described | None, broken: Breaking | None, diff: bool
) -> Told:
    details = list(planned.problems)
    if described:
        details += described.refusal.splitlines() or described.changes
        details += [str(columns) for columns in described.narrowed]
        details += [f"warning: {doubt}" for doubt in described.doubts]
    return Told(
        planned.change,
        planned.path,
        _effect(planned, described),
        details,
        str(broken) if broken else "",
        planned.diff() if diff else (),
    )


def _print(told: Told) -> None:
    colour = _COLOURS.get(told.change, "dim")
    out.print(marked(Text(f"{told.change:8}", colour), f"{told.path} ", told.effect))
    for line in told.details:
        out.print(f"           {line}")
    if told.breaking:
        out.print(Text(f"           {told.breaking}", "red"))
    for line in told.diff:
        out.print(f"    {line}", style=_DIFF_COLOURS.get(line[:1]))


def _effect(planned: Planned, described: Described | None) -> str:
    if planned.change == "removed":
        return "what is published stays"
    if planned.change == "invalid":
        return ""
    words = [] if planned.change in ("new", _SAME) else [
        "the data changes" if planned.changes_data else "the data stays"
    ]  # fmt: skip
    if planned.defaults and planned.changed_keys:
        keys = ", ".join(planned.changed_keys)
        words.append(f"{keys} changed by {' and '.join(planned.defaults)}")
    if described and described.planned is not None:
        words.append(f"{len(described.planned)} columns")
        if described.published is None:
            words.append("nothing published yet")
        else:
            words.append("the schema changes" if described.changes else "the schema stays")
    if described and described.bytes_billed is not None:
        words.append(f"bills {format_bytes(described.bytes_billed)}")
    return ", ".join(words)


def _plain(
    planned: Planned, described: Described | None, broken: Breaking | None, diff: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "extract": planned.path,
        "change": planned.change,
        "changes_data": planned.changes_data,
        "defaults": planned.defaults,
        "changed_keys": planned.changed_keys,
        "problems": planned.problems,
        "breaking": asdict(broken) if broken else None,
    }
    if described:
        found["schema"] = {
            "published": described.published and _types(described.published),
            "planned": described.planned and _types(described.planned),
            "changes": described.changes,
            "refusal": described.refusal or None,
            "narrowed": [asdict(columns) for columns in described.narrowed],
            "warnings": described.doubts,
            "bytes_billed": described.bytes_billed,
        }
    if diff:
        found["diff"] = planned.diff()
    return found


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: spelled(field.type) for field in schema}
