"""`extract release`: publish a refused result, for a recorded reason."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    err,
    explains_itself,
    json_option,
    partition_option,
)
from extract_project.cli.outcomes import ReleaseAnswer
from extract_project.cli.running.launching import launch_and_watch
from extract_project.cli.running.run import watch
from extract_project.errors import Cause, ReleaseError
from extract_project.manifest.names import name_of
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.deployment.failed import Answer, FailedExtract, Rerun
    from extract_project.deployment.run import Run


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.option("--reason", required=True, help="The reason, recorded with the version.")
@click.option("--by", help="Your name; default: the user of this machine.")
@partition_option
@json_option
@explains_itself
def release(
    *, extract: str, reason: str, by: str | None, partition: str | None, as_json: bool
) -> None:
    """Publish EXTRACT (folder/name) although it was refused.

    The extract runs again, on the data as it is now. The checks that refused it only warn this
    time; any other check can still refuse it. Exit code 1 when one does.

    \b
    extract release sales/orders --reason 'the shop was closed: there were only a few orders'
    """
    from extract_project.cli.running.ran import run_answer, say_and_exit
    from extract_project.deployment.failed import Question, ask
    from extract_project.deployment.having import location_having
    from extract_project.deployment.tags import PATH_TAG, release_tags

    deployment = location_having(load_settings(), [extract])
    rerun, refused = _refused(ask(deployment, Question()), extract, partition)
    err.print(f"refused in run {refused.run_id[:8]}:\n{refused.failure_report}\n")
    by = by or getpass.getuser()
    tags = release_tags(refused.run_id, reason, by)
    known = deployment.extracts()
    given = {**rerun.tags, PATH_TAG: extract, **tags}

    def answer(run: Run) -> None:
        told = run_answer(deployment, run, {}).model_dump()
        who = {"released_run_id": refused.run_id, "by": by, "reason": reason}
        print_answer(ReleaseAnswer, {**told, **who})

    say_and_exit(
        lambda: launch_and_watch(
            deployment,
            lambda: deployment.launch([extract], partition, given),
            lambda run_id: watch(deployment, run_id, known, [extract]),
        ),
        lambda run_id: deployment.run(run_id, known),
        answer if as_json else None,
    )


def _refused(answered: Answer, extract: str, partition: str | None) -> tuple[Rerun, FailedExtract]:
    """The latest attempt; raises ReleaseError unless an audit refused it."""
    name = name_of(extract, partition)
    for rerun in answered.reruns:
        for member in rerun.members:
            if member.name != name:
                continue
            if member.cause != Cause.AUDIT:
                raise ReleaseError(
                    f"the latest attempt of {name} was not refused ({member.cause}), so there is "
                    f"nothing to release: fix it, then extract rerun {extract}"
                )
            return rerun, member
    raise ReleaseError(
        f"the latest attempt of {name} was not refused: extract failed lists refused extracts; "
        f"choose a partition with --partition"
    )
