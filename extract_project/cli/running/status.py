"""`extract status`: the state of every extract, worst first."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from extract_project.cli.console import (
    BAD,
    NO,
    explains_itself,
    json_option,
    marked,
    out,
)
from extract_project.cli.listing import Column, Listing, print_listing, wide_option
from extract_project.cli.running.unknown import show_unknown
from extract_project.settings import load_settings
from extract_project.status import words
from extract_project.status.reason import State
from extract_project.status.table import StatusReport, StatusRow, merged, status_report, when

_WATCH_SECONDS = 5.0
_FAILED = (State.FAILED, State.REFUSED, State.INVALID)
_LATE = (State.LATE, State.OVERDUE)
_COLOURS = {
    **dict.fromkeys(_FAILED, "red"),
    **dict.fromkeys(_LATE, "yellow"),
    State.RUNNING: "cyan",
    State.FINE: "green",
}
_COLUMNS = (
    Column("state"),
    Column("extract"),
    Column("location", drop=1),
    Column("group", drop=7),
    Column("owner", drop=6),
    Column("last success", drop=1),
    Column("next start", drop=2),
    Column("took (usual)", drop=5, right=True),
    Column("rows", drop=4, right=True),
    Column("+/-", drop=3, right=True),
    Column("why"),
)


@click.command()
@click.option("--group", help="Only extracts of this group.")
@click.option("--owner", help="Only extracts of this owner, as in team:sales.")
@click.option("--late", is_flag=True, help="Only what is late or overdue.")
@click.option("--failed", is_flag=True, help="Only what failed, was refused or is invalid.")
@click.option("--watch", is_flag=True, help="Show it again every few seconds, until Ctrl-C.")
@wide_option
@json_option
@explains_itself
def status(
    *,
    group: str | None,
    owner: str | None,
    late: bool,
    failed: bool,
    watch: bool,
    wide: bool,
    as_json: bool,
) -> None:
    """Show the state of every extract, worst first.

    failed, refused, invalid, late (older than its freshness), overdue (its tick is over and nothing
    ran), waiting (for upstream extracts), held (in the queue, or by a pool), running, disabled,
    fine.
    Times are local. Exit code 1 when one failed, was refused, is invalid, late or overdue, or when
    a code location gives no answer.

    \b
    extract status --owner team:sales
    extract status --late --json
    """
    from extract_project.deployment.locations import find_locations
    from extract_project.deployment.status import ask_status

    locations = find_locations(load_settings())
    keep = _filter(group, owner, late=late, failed=failed)

    def look() -> StatusReport:
        asked = locations.ask(ask_status)
        reports = [status_report(facts, name) for name, facts in asked.answered.items()]
        return _kept(merged(reports, asked.unknown), keep)

    if watch:
        _watch(look, wide=wide)
        return
    report = look()
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        _show(report, wide=wide)
    bad = any(row.state in (*_FAILED, *_LATE) for row in report.extracts)
    raise SystemExit(NO if bad or report.unknown else 0)


def _filter(
    group: str | None, owner: str | None, *, late: bool, failed: bool
) -> Callable[[StatusRow], bool]:
    wanted = (*(_LATE if late else ()), *(_FAILED if failed else ())) or tuple(State)

    def keep(row: StatusRow) -> bool:
        return (
            row.state in wanted
            and group in (None, row.group)
            and (owner is None or owner in row.owners)
        )

    return keep


def _kept(report: StatusReport, keep: Callable[[StatusRow], bool]) -> StatusReport:
    rows = tuple(row for row in report.extracts if keep(row))
    return report.model_copy(update={"extracts": rows})


def _watch(look: Callable[[], StatusReport], *, wide: bool) -> None:
    try:
        while True:
            report = look()
            if out.is_terminal:
                out.clear()
            _show(report, wide=wide)
            out.print(f"\nat {report.at.astimezone():%H:%M:%S}, again in {_WATCH_SECONDS:.0f} s")
            time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _show(report: StatusReport, *, wide: bool) -> None:
    show_unknown(report.unknown)
    for problem in report.problems:
        out.print(marked(BAD, problem))
    listing = Listing(_COLUMNS)
    for row in report.extracts:
        listing.add(*_cells(row, report), colour=_COLOURS.get(row.state))
    if report.extracts:
        print_listing(listing, wide=wide)
    counts = ", ".join(f"{count:,} {state.value}" for state, count in report.counts.items())
    out.print(f"\n{sum(report.counts.values()):,} extracts: {counts or 'none'}")
    if any(row.state is not State.FINE for row in report.extracts):
        out.print("For the reasons and what to do: extract why EXTRACT")


def _cells(row: StatusRow, report: StatusReport) -> tuple[str, ...]:
    return (
        row.state.value,
        row.extract,
        row.location if len(report.locations) > 1 else "",
        row.group,
        ", ".join(row.owners),
        words.ago(row.last_success_at, report.at) if row.last_success_at else "never",
        when(row, report.at),
        _took(row),
        f"{row.rows:,}" if row.rows is not None else "",
        f"{row.rows_change:+,}" if row.rows_change else "",
        "" if row.state is State.FINE else row.why,
    )


def _took(row: StatusRow) -> str:
    if row.seconds is None:
        return ""
    took = words.span(row.seconds)
    if row.usual_seconds is None:
        return took
    slow = words.is_slow(row.seconds, row.usual_seconds)
    return f"{took} ({words.span(row.usual_seconds)}){' slow' if slow else ''}"
