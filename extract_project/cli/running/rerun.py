"""`extract rerun`: run what failed again, each extract in its own run."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich.text import Text

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    BAD,
    GOOD,
    INTERRUPTED,
    NO,
    Terminal,
    err,
    explains_itself,
    json_option,
    marked,
    out,
    since_option,
)
from extract_project.cli.outcomes import InvalidExtract, RerunAnswer
from extract_project.cli.running.newest import (
    as_loaded_option,
    newest,
    require_valid,
    say_versions,
)
from extract_project.cli.running.unknown import show_unknown
from extract_project.errors import ExtractError
from extract_project.problem import suggestion
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.failed import Answer, Question
    from extract_project.deployment.loaded import Loaded
    from extract_project.deployment.locations import Locations

_POLL_SECONDS = 1.0
_MARKS = {"SUCCESS": GOOD, "FAILURE": BAD}


@dataclass(frozen=True)
class _Failed:
    """What failed in one code location, and what it has loaded of that."""

    deployment: Deployment
    answered: Answer
    loaded: Loaded


@click.command()
@click.argument("extracts", nargs=-1, shell_complete=extract_names)
@click.option("--failed", "all_failed", is_flag=True, help="Run everything that failed.")
@click.option("--group", help="Only extracts of this group.")
@since_option
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
@click.option("--no-wait", is_flag=True, help="Launch the runs, but do not wait for them to end.")
@as_loaded_option
@json_option
@explains_itself
def rerun(
    *,
    extracts: tuple[str, ...],
    all_failed: bool,
    group: str | None,
    since: str | None,
    yes: bool,
    no_wait: bool,
    as_loaded: bool,
    as_json: bool,
) -> None:
    """Run again what failed: everything, or the EXTRACTS named.

    An extract has failed if its latest attempt did. Each extract and partition gets its own run,
    with the newest SQL in the bucket. Exit code 1 when one fails again.

    \b
    extract rerun --failed
    extract rerun --failed --group sales --since 6h
    extract rerun sales/orders
    """
    from extract_project.deployment.failed import Question, ago, launch

    if bool(extracts) == all_failed:
        raise click.UsageError(
            "nothing to run again: give --failed, or names of extracts that failed"
        )
    told = err if as_json else out
    question = Question(group=group, since=ago(since))
    asked = _locations(extracts).ask(
        lambda each: _failed_in(each, question, extracts, as_loaded=as_loaded)
    )
    show_unknown(asked.unknown, err)
    found = list(asked.answered.values())
    for each in found:
        for path, reasons in each.loaded.invalid.items():
            err.print(marked(BAD, f"{path} is invalid, so it is not run again: {reasons[0]}"))
    code = NO if asked.unknown else 0
    count = sum(len(each.answered.reruns) for each in found)
    if not count:
        told.print(marked(GOOD, "nothing failed at its latest attempt: nothing to run again"))
        if as_json:
            print_answer(RerunAnswer, _answer(found, [], {}))
        raise SystemExit(code)
    for each in found:
        for member in each.answered.members:
            err.print(marked(Text(" "), member.name, f"({member.cause or member.state})"))
    if not yes and err.is_terminal:
        click.confirm(f"launch {count} runs?", default=True, abort=True, err=True)
    launched = {}
    for each in found:
        say_versions(each.loaded, sorted({member.extract for member in each.answered.members}))
        for run_id, members in launch(each.deployment, each.answered):
            launched[run_id] = ", ".join(member.name for member in members)
            told.print(f"launched {run_id[:8]}: {launched[run_id]}")
    deployment = found[0].deployment
    steps = deployment.extracts()
    if not no_wait:
        try:
            well = _all_succeed(deployment, launched, steps, told)
        except KeyboardInterrupt:
            for run_id, names in launched.items():
                err.print(f"{names} goes on: {deployment.page(run_id)}")
            code = INTERRUPTED
        else:
            code = code if well else NO
    if as_json:
        print_answer(RerunAnswer, _answer(found, list(launched), steps))
    raise SystemExit(code)


def _locations(extracts: Collection[str]) -> Locations:
    """The code location with these extracts, or all."""
    from extract_project.deployment.having import location_having
    from extract_project.deployment.locations import Locations, find_locations

    settings = load_settings()
    if not extracts:
        return find_locations(settings)
    return Locations({"": location_having(settings, extracts)})


def _failed_in(
    deployment: Deployment, question: Question, extracts: tuple[str, ...], *, as_loaded: bool
) -> _Failed:
    """What failed in a code location, once it has loaded the newest SQL of it."""
    from extract_project.deployment.failed import ask

    answered = _chosen(ask(deployment, question), extracts)
    failed = sorted({each.extract for each in answered.members})
    loaded = newest(deployment, failed, as_loaded=as_loaded)
    require_valid(loaded, extracts)
    if any(path not in loaded.versions for path in failed):
        answered = _chosen(ask(deployment, question), extracts)
    return _Failed(deployment, answered, loaded)


def _answer(
    found: Sequence[_Failed], run_ids: Sequence[str], steps: Mapping[str, str]
) -> RerunAnswer:
    """The runs as they are now."""
    from extract_project.cli.running.ran import run_answer

    deployment = found[0].deployment
    versions = {path: each for one in found for path, each in one.loaded.versions.items()}
    return RerunAnswer(
        runs=tuple(
            run_answer(deployment, deployment.run(run_id, steps), versions) for run_id in run_ids
        ),
        invalid=tuple(
            InvalidExtract(extract=path, problems=reasons)
            for one in found
            for path, reasons in one.loaded.invalid.items()
        ),
    )


def _chosen(answered: Answer, extracts: tuple[str, ...]) -> Answer:
    if not extracts:
        return answered
    known = {each.extract for each in answered.members}
    for path in extracts:
        if path not in known:
            hint = suggestion(path, known) if known else "no extract did"
            raise ExtractError(
                f"{path} did not fail at its latest attempt: {hint}; "
                f"to run it anyway: extract run {path}"
            )
    chosen = (
        each for each in answered.reruns if {m.extract for m in each.members}.intersection(extracts)
    )
    return answered.model_copy(update={"reruns": tuple(chosen)})


def _all_succeed(
    deployment: Deployment,
    launched: Mapping[str, str],
    steps: Mapping[str, str],
    told: Terminal,
) -> bool:
    """Wait for the runs and report each one; returns whether all succeeded."""
    from extract_project.cli.running.ran import report

    well = True
    waiting = dict(launched)
    with err.status(f"{len(waiting)} runs"):
        while waiting:
            for run_id, names in list(waiting.items()):
                run = deployment.run(run_id, steps)
                if not run.finished:
                    continue
                del waiting[run_id]
                told.print(marked(_MARKS.get(run.status, Text("-")), names))
                report(run, told)
                well = well and run.status == "SUCCESS"
            if waiting:
                time.sleep(_POLL_SECONDS)
    return well
