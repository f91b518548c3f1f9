"""`extract doctor`: check an installation, and print the fix for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from extract_project.cli.answers import DoctorAnswer, print_answer
from extract_project.cli.console import (
    BAD,
    GOOD,
    NO,
    err,
    explains_itself,
    json_option,
    marked,
    out,
)
from extract_project.doctor import Finding, examine
from extract_project.errors import SettingsError
from extract_project.settings import load_settings


@click.command()
@json_option
@explains_itself
def doctor(as_json: bool) -> None:
    """Check settings, buckets, rights, warehouses and Dagster.

    It uses your own rights and leaves nothing behind: its upload is aborted, and its write has a
    condition that is never true. Exit code 1 when a check fails.

    \b
    extract doctor --json
    """
    found = []
    with err.status("looking") as looking:
        for finding in _findings():
            found.append(finding)
            if not as_json:
                looking.stop()
                _print(finding)
                looking.start()
    if as_json:
        print_answer(DoctorAnswer, [asdict(finding) for finding in found])
    raise SystemExit(0 if all(finding.ok for finding in found) else NO)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            happened, _, fix = line.partition(": ")
            yield Finding("settings", False, happened, fix)
        return
    names = ", ".join(sorted(settings.warehouses))
    yield Finding("settings", True, f"{settings.manifest} → {settings.data}; warehouses: {names}")
    yield from examine(settings)


def _print(finding: Finding) -> None:
    out.print(marked(GOOD if finding.ok else BAD, f"{finding.subject}: {finding.detail}"))
    if finding.fix:
        out.print(f"    {finding.fix}")
