"""`extract runs`: what ran when, as a table and as a picture of bars over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from extract_project.cli.completion import extract_names
from extract_project.cli.console import explains_itself, json_option, out
from extract_project.cli.listing import Column, Listing, print_listing, wide_option
from extract_project.manifest.names import is_meant
from extract_project.settings import load_settings
from extract_project.status import words
from extract_project.status.moments import parse_clock

if TYPE_CHECKING:
    from extract_project.deployment.runs import RunRow

_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "refused": "red",
    "cancelled": "yellow",
    "running": "cyan",
}
_SHORT = 8
_COLUMNS = (
    Column("outcome"),
    Column("extract"),
    Column("partition", drop=1),
    Column("began"),
    Column("ended", drop=3),
    Column("waited", drop=4, right=True),
    Column("took", drop=2, right=True),
    Column("run"),
    Column("cause"),
)


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else parse_clock(value, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("extracts", nargs=-1, shell_complete=extract_names)
@click.option(
    "--since",
    callback=_moment,
    default="24h",
    show_default=True,
    help="Begin at 5:00 (local, the last one), 2026-01-31T05:00Z, or a duration ago, 6h.",
)
@click.option("--until", callback=_moment, help="End at such a time. Default: now.")
@click.option(
    "--cost",
    type=click.Choice(["extract", "owner", "day"]),
    help="What the runs cost by extract, by owner or by day, as far as it is known.",
)
@wide_option
@json_option
@explains_itself
def runs(
    *,
    extracts: tuple[str, ...],
    since: datetime,
    until: datetime | None,
    cost: str | None,
    wide: bool,
    as_json: bool,
) -> None:
    """List what ran between two times.

    Of all extracts, or of EXTRACTS, names or patterns. What waited is listed too.

    On a terminal, a picture shows it as bars over time.

    \b
    extract runs --since 5:00 --until 6:00
    extract runs 'sales/*' --since 24h
    extract runs --since 7d --cost owner
    """
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.runs import RunReport, owners, runs_between

    until = until or datetime.now(UTC)
    if since >= until:
        raise click.UsageError("--since is not before --until")
    settings = load_settings()
    deployment = Deployment(settings.dagster_url, settings.location)
    found = [
        row
        for row in runs_between(deployment, since, until, costs=bool(cost))
        if not extracts or any(is_meant(path, extracts) for path in row.extracts)
    ]
    if as_json:
        report = RunReport(since=since, until=until, runs=tuple(found))
        click.echo(report.model_dump_json(indent=2))
    elif cost:
        of = owners(deployment) if cost == "owner" else {}
        _show_cost(found, cost, of, wide=wide)
    else:
        _show(found, since, until, wide=wide)


def _show(found: Sequence[RunRow], since: datetime, until: datetime, *, wide: bool) -> None:
    from extract_project.cli.running.bars import picture

    if not found:
        out.print(f"nothing ran between {_clock(since, until)} and {_clock(until, until)}")
        return
    listing = Listing(_COLUMNS)
    for row in found:
        listing.add(*_cells(row, until, wide=wide), colour=_COLOURS.get(row.outcome))
    print_listing(listing, wide=wide)
    if out.is_terminal:
        out.print()
        out.print(picture(found, since, until, out.width))


def _cells(row: RunRow, until: datetime, *, wide: bool) -> tuple[str, ...]:
    started, ended = row.started_at, row.ended_at
    waited = (started or until) - row.created_at
    return (
        row.outcome,
        ", ".join(row.extracts),
        row.partition or "",
        _clock(started or row.created_at, until),
        _clock(ended, until) if ended else "",
        words.span(waited) if waited >= timedelta(seconds=1) else "",
        words.span(row.seconds) if row.seconds is not None else "",
        row.run_id if wide else row.run_id[:_SHORT],
        row.failure or row.cause,
    )


def _clock(moment: datetime, until: datetime) -> str:
    return words.clock(moment, until, seconds=True)


def _show_cost(
    found: Sequence[RunRow], by: str, owner: Mapping[str, Sequence[str]], *, wide: bool
) -> None:
    groups: Mapping[str, Callable[[RunRow, str], Iterable[str]]] = {
        "extract": lambda _, path: [path],
        "owner": lambda _, path: owner.get(path) or ["(no owner)"],
        "day": lambda row, _: [f"{row.created_at.astimezone():%Y-%m-%d}"],
    }
    names = ("warehouse_seconds", "estimated_credits", "estimated_fargate_usd")
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(names))
    for row in found:
        for cost in row.costs:
            for group in groups[by](row, cost.extract):
                for number, name in enumerate(names):
                    sums[group][number] += getattr(cost, name) or 0.0
    if not sums:
        out.print("no run says what it cost: warehouses billed by time and ECS tasks do")
        return
    listing = Listing(
        (
            Column(by),
            Column("credits", right=True),
            Column("Fargate, USD", right=True),
            Column("warehouse seconds"),
        )
    )
    for group, (seconds, credits, usd) in sorted(sums.items(), key=lambda each: each[1][::-1])[
        ::-1
    ]:
        listing.add(group, f"{credits:,.4f}", f"{usd:,.4f}", f"{seconds:,.0f}")
    print_listing(listing, wide=wide)
