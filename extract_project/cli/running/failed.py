"""`extract failed`: list extracts and partitions whose latest attempt failed, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from rich.text import Text

from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    GOOD,
    NO,
    explains_itself,
    json_option,
    marked,
    out,
    since_option,
)
from extract_project.cli.listing import Column, Listing, print_listing, wide_option
from extract_project.cli.running.unknown import show_unknown
from extract_project.errors import ExtractError
from extract_project.manifest.names import expanded, name_of, no_extract
from extract_project.settings import load_settings
from extract_project.status import words
from extract_project.status.failures import FailedReport, FailedRow, failed_report, merged
from extract_project.units import parse_duration

_SHORT = 8
_COLUMNS = (
    Column("extract"),
    Column("location", drop=1),
    Column("partition", drop=1),
    Column("cause"),
    Column("owner", drop=3),
    Column("failed", drop=4),
    Column("readers have", drop=2),
    Column("run"),
    Column("what happened, and what to do"),
)


@click.command()
@click.argument("extracts", nargs=-1, shell_complete=extract_names)
@click.option("--group", help="Only extracts of this group.")
@since_option
@wide_option
@json_option
@explains_itself
def failed(
    *,
    extracts: tuple[str, ...],
    group: str | None,
    since: str | None,
    wide: bool,
    as_json: bool,
) -> None:
    """List the extracts whose latest attempt failed, and why.

    Invalid files are listed too. With EXTRACTS, print the whole failure report of each. Exit code 1
    when there are any, or when a code location gives no answer.

    \b
    extract failed --since 12h
    extract failed sales/orders
    extract failed --group sales --json
    """
    from extract_project.deployment.locations import find_locations
    from extract_project.deployment.status import ask_status

    asked = find_locations(load_settings()).ask(ask_status)
    known = {path for facts in asked.answered.values() for path in facts.extracts}
    wanted = expanded(extracts, known)
    for path in wanted:
        if path not in known:
            raise ExtractError(no_extract(path, known))
    after = datetime.now(UTC) - parse_duration(since) if since else None
    reports = [
        failed_report(facts, name, group, after, wanted) for name, facts in asked.answered.items()
    ]
    report = merged(reports, asked.unknown)
    code = NO if report.failed or report.unknown else 0
    if as_json:
        click.echo(report.model_dump_json(indent=2))
        raise SystemExit(code)
    show_unknown(report.unknown)
    if not report.failed:
        out.print(marked(GOOD, f"nothing failed at its latest attempt{_running(report)}"))
    elif wanted:
        for row in report.failed:
            _show_whole(row, report)
    else:
        options = "".join(f" --{k} {v}" for k, v in (("group", group), ("since", since)) if v)
        _show(report, options, wide=wide)
    raise SystemExit(code)


def _show(report: FailedReport, options: str, *, wide: bool) -> None:
    listing = Listing(_COLUMNS)
    for row in report.failed:
        listing.add(
            row.extract,
            row.location if len(report.locations) > 1 else "",
            row.partition or "",
            row.cause if row.cause and row.state != "invalid" else row.state,
            ", ".join(row.owners),
            words.ago(row.at, report.at) if row.at else "",
            _readers_have(row),
            (row.run_id or "")[: None if wide else _SHORT],
            f"{row.what} → {row.next_step}",
        )
    print_listing(listing, wide=wide)
    invalid = sum(row.state == "invalid" for row in report.failed)
    told = f"{invalid} invalid, " if invalid else ""
    out.print(f"\n{told}{len(report.failed) - invalid} failed{_running(report)}.")
    out.print("For a whole report: extract failed EXTRACT")
    if len(report.failed) > invalid:
        out.print("To run what failed again, and nothing else:\n")
        out.print(f"  extract rerun --failed{options}")


def _show_whole(row: FailedRow, report: FailedReport) -> None:
    name = name_of(row.extract, row.partition)
    at = f", {words.at(row.at, report.at)}" if row.at else ""
    out.print(Text.assemble((name, "bold"), f" {row.state}{at}"))
    out.print(row.failure_report or row.what)
    out.print(f"\nreaders have: {_readers_have(row)}")
    if row.owners:
        out.print(f"owner: {', '.join(row.owners)}")
    if row.url:
        out.print(f"page: {row.url}")


def _readers_have(row: FailedRow) -> str:
    if row.published_age_seconds is None:
        return "nothing" if row.state != "invalid" else ""
    return f"{words.span(row.published_age_seconds)} old"


def _running(report: FailedReport) -> str:
    count = len(report.running)
    if not count:
        return ""
    return f"; {count} {'is' if count == 1 else 'are'} waiting or running"
