"""`extract deploy-schedules`: what the headers say of times, at EventBridge Scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
from rich.text import Text

from extract_project.cli.answers import Answer, print_answer
from extract_project.cli.console import BAD, NO, OK, err, explains_itself, json_option, marked, out
from extract_project.errors import SchedulesError
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.others import read_others
from extract_project.manifest.snapshot import marked_snapshot
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.eventbridge.deployed import Change, Deployed, Kind
    from extract_project.eventbridge.wanted import Wanted

_MARKS: Mapping[Kind, Text] = {
    "created": Text("+", "green"),
    "changed": Text("~", "yellow"),
    "removed": Text("-", "red"),
}
"""Of what is done."""


class DeployedSchedule(Answer):
    """A schedule at EventBridge Scheduler."""

    name: str
    extract: str
    change: str
    """`created`, `changed`, `removed`, `unchanged`, or `kept`: its file is invalid or its schedule
    refused, so it stays as it is."""
    expression: str
    timezone: str
    differences: tuple[str, ...]
    error: str | None = None
    """Why AWS refused it; the others were applied all the same."""


class WithoutService(Answer):
    """A key of a header that needs a service."""

    extract: str
    key: str
    consequence: str


class RefusedSchedule(Answer):
    """An extract without schedules: its file is invalid, or EventBridge cannot have its cron."""

    extract: str
    reason: str


class DeploySchedulesAnswer(Answer):
    """`extract deploy-schedules`: what was changed, or would be."""

    group: str
    applied: bool
    schedules: tuple[DeployedSchedule, ...]
    without_service: tuple[WithoutService, ...]
    refused: tuple[RefusedSchedule, ...]


@click.command("deploy-schedules")
@click.option(
    "--yes", is_flag=True, help="Apply the plan; without it, the command only prints the plan."
)
@json_option
@explains_itself
def deploy_schedules(*, yes: bool, as_json: bool) -> None:
    """Make a schedule at EventBridge Scheduler for each schedule in a header.

    For an installation without any service: each tick starts one ECS task, which runs extract
    materialize and ends. EXTRACT_SCHEDULER__… names the task. Only schedules that this command made
    from the same manifest are changed or removed. It lists what of the headers needs a service.
    Exit code 1 when a file is invalid or a schedule is refused; the others are applied.

    \b
    extract deploy-schedules
    extract deploy-schedules --yes
    """
    from extract_project.eventbridge.deployed import Deployed
    from extract_project.eventbridge.wanted import wanted_schedules

    settings = load_settings()
    settings.scheduler.require()
    folders = settings.connect()
    known = marked_snapshot(folders.state, folders.manifest.uri)
    snapshot = read_manifest(
        folders.manifest, settings.dialects, known[1] if known else None, read_others(folders)
    )
    wanted = wanted_schedules(snapshot)
    deployed = Deployed(settings.scheduler, folders.manifest.uri)
    with err.status("comparing schedules"):
        changes = deployed.plan(wanted)
    if not as_json:
        _say(changes, wanted, settings.scheduler.group)
    errors: Mapping[str, str] = {}
    if yes:
        errors = _apply(deployed, changes)
    elif any(each.kind in _MARKS for each in changes):
        err.print("nothing was changed: to apply this, add --yes")
    if as_json:
        group = settings.scheduler.group
        answer = _plain(changes, wanted, errors, group=group, applied=yes)
        print_answer(DeploySchedulesAnswer, answer)
    raise SystemExit(NO if wanted.refused or errors else OK)


def _apply(deployed: Deployed, changes: Sequence[Change]) -> dict[str, str]:
    """Apply the plan; returns why schedules were refused, by name."""
    done: Counter[Kind] = Counter()
    errors = {}

    def told() -> str:
        return ", ".join(f"{done[kind]} {kind}" for kind in _MARKS if done[kind])

    try:
        for each in deployed.apply(changes):
            if each.refusal:
                errors[each.change.name] = each.refusal
                err.print(marked(BAD, f"{each.change.extract}: {each.refusal}", each.change.name))
            else:
                done[each.change.kind] += 1
    except SchedulesError as error:
        before = f"done before it: {told() or 'nothing'}"
        raise SchedulesError(f"{error}\n{before}; the same command does the rest") from None
    refused = f"{len(errors)} refused" if errors else ""
    err.print(", ".join(filter(None, (told(), refused))) or "nothing to do")
    return errors


def _say(changes: Sequence[Change], wanted: Wanted, group: str) -> None:
    for each in changes:
        if each.kind in _MARKS:
            differences = f": {', '.join(each.differences)}" if each.differences else ""
            text = f"{each.extract}: {each.expression} {each.timezone}{differences}"
            out.print(marked(_MARKS[each.kind], text, each.name))
        elif each.kind == "kept":
            out.print(marked(Text("!", "yellow"), f"{each.extract}: stays as it is", each.name))
    same = sum(each.kind == "unchanged" for each in changes)
    out.print(f"{same} unchanged in group {group}")
    for refusal in wanted.refused:
        out.print(marked(BAD, refusal.reason))
    if wanted.needs_service:
        out.print("\nnot without a service:")
    for need in wanted.needs_service:
        out.print(marked(Text("!", "yellow"), f"{need.extract}: {need.key}: {need.consequence}"))


def _plain(
    changes: Sequence[Change],
    wanted: Wanted,
    errors: Mapping[str, str],
    *,
    group: str,
    applied: bool,
) -> DeploySchedulesAnswer:
    return DeploySchedulesAnswer(
        group=group,
        applied=applied,
        schedules=tuple(
            DeployedSchedule(
                name=each.name,
                extract=each.extract,
                change=each.kind,
                expression=each.expression,
                timezone=each.timezone,
                differences=each.differences,
                error=errors.get(each.name),
            )
            for each in changes
        ),
        without_service=tuple(
            WithoutService(extract=each.extract, key=each.key, consequence=each.consequence)
            for each in wanted.needs_service
        ),
        refused=tuple(
            RefusedSchedule(extract=each.extract, reason=each.reason) for each in wanted.refused
        ),
    )
