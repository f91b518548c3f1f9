"""`extract failed`: list extracts and partitions whose latest attempt failed, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from extract_project.cli.console import (
    GOOD,
    NO,
    explains_itself,
    json_option,
    marked,
    out,
    since_option,
    table,
)
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.orchestration.failed.failed import Answer


@click.command()
@click.option("--group", help="Only extracts of this group.")
@since_option
@json_option
@explains_itself
def failed(group: str | None, since: str | None, as_json: bool) -> None:
    """List the extracts whose latest attempt failed, and why.

    Exit code 1 when there are any.

    \b
    extract failed --since 12h
    extract failed --group sales --json
    """
    from extract_project.deployment.client import Deployment
    from extract_project.orchestration.failed.failed import Question
    from extract_project.orchestration.failed.rerun import ago, ask

    settings = load_settings()
    deployment = Deployment(settings.dagster_url, settings.location)
    answered = ask(deployment, Question(group=group, since=ago(since)))
    if as_json:
        click.echo(answered.model_dump_json(indent=2))
    elif not answered.members:
        out.print(marked(GOOD, f"nothing failed at its latest attempt{_running(answered)}"))
    else:
        listed = table("extract", "partition", "cause", "at (UTC)", "run", "what happened")
        for each in answered.members:
            listed.add_row(
                each.extract,
                each.partition or "",
                each.cause or each.state,
                f"{each.at:%m-%d %H:%M}",
                each.run_id[:8],
                _summary(each.failure_report, each.state),
            )
        out.print(listed)
        out.print(f"\n{len(answered.members)} failed{_running(answered)}.")
        out.print("To run these again, and nothing else:\n")
        options = "".join(f" --{k} {v}" for k, v in (("group", group), ("since", since)) if v)
        out.print(f"  extract rerun --failed{options}")
    raise SystemExit(NO if answered.members else 0)


def _running(answered: Answer) -> str:
    return f"; {len(answered.running)} are waiting or running" if answered.running else ""


def _summary(report: str, state: str) -> str:
    if state == "skipped":
        return "not tried: an upstream extract failed"
    return report.partition("\n")[0]
