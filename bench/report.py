"""docs/performance.md and its plot, from what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from bench.contestants import TITLES
from bench.equality import Verdict
from bench.run import OURS, WHOLE, Entry, Outcome

_MIB = 1 << 20
_BAR = 22
_LEFT = 330
_NOTE = 190
_PROPORTION = 5
_WIDTH = 900


@dataclass(frozen=True)
class Results:
    """All measurements that the page shows."""

    rows: int
    rounds: int
    command: str
    outcomes: Sequence[Outcome]
    baseline: float


def page(results: Results) -> str:
    """Markdown."""
    parts = [_introduction(results), *(_source(each) for each in results.outcomes)]
    parts.append(_start(results))
    return "\n\n".join(parts) + "\n"


def _introduction(results: Results) -> str:
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("dagster", "pyarrow", "duckdb", "snowflake-connector-python", "psycopg")
    )
    return f"""# Performance

Printed by `{results.command}`. Each program writes TPC-H `lineitem`, {results.rows:,} rows of 16
columns, from the warehouse to one Parquet object (zstd) in the embedded S3 server. It is measured
as a whole process, imports included. The peers run without an orchestrator, so this project is
measured without Dagster as well, and ratios are to that. The programs take turns within a round.
The numbers are medians of {results.rounds} rounds, after one that does not count. A program that
takes more than three times as long as this project runs only once (¹).
Python {platform.python_version()}, {versions}.
The servers share the machine's {os.cpu_count()} cores with the measured program: compare ratios,
not seconds, with other machines. `range` has the fastest and the slowest round, and `servers` the
CPU seconds of the servers that the benchmark has started, which `CPU s` does not include.

Memory at one and at ten times the rows is in [memory.md](memory.md), what programs make of
difficult types in [types.md](types.md), and where the time of a run goes in
[profile.md](profile.md).

![Wall time of each program](performance.svg)

`values and types`: each program's result is read back. The number of rows and a checksum of each
column are compared with the warehouse's. "exact" means that these are equal, and the types too;
otherwise the types that changed are listed. Snowflake is the tests' protocol server: the clients
do their real work, but the service's own time is not included."""


def _source(outcome: Outcome) -> str:
    first = outcome.entries[0]
    rows = [_row(entry, first) for entry in outcome.entries]
    limits = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.limits.items())
    pipeline = sorted(outcome.pipeline)[len(outcome.pipeline) // 2]
    return f"""## {TITLES[outcome.source]}

| program | wall s | range | ratio | CPU s | servers | peak MiB | file MB | values and types |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

{_faster(outcome)}Physical limits, each alone: {limits}.
The pipeline alone, from sending the query to the published version: {pipeline:.1f} s,
{pipeline / outcome.slowest_limit:.2f} times the slowest of them."""


def _row(entry: Entry, first: Entry) -> str:
    if not entry.runs or entry.verdict is None:
        return (
            f"| {entry.name} | | | | | | | | did not finish: {entry.failure or 'wrote nothing'} |"
        )
    name = f"**{entry.name}**" if entry.name in (OURS, WHOLE) else entry.name
    name += " ¹" if entry.once else ""
    fastest, slowest = entry.span
    return (
        f"| {name} | {entry.wall:.1f} | {fastest:.1f} to {slowest:.1f} "
        f"| {entry.wall / first.wall:.2f} | {entry.cpu:.1f} | {entry.servers_cpu:.1f} "
        f"| {entry.peak / _MIB:.0f} | {entry.verdict.bytes / 1e6:.0f} | {entry.verdict.shown} |"
    )


def _faster(outcome: Outcome) -> str:
    """Which programs are faster than this project, and what they leave out for it."""
    first, *others = outcome.entries
    faster = [
        f"- {entry.name}, in {entry.wall / first.wall:.2f} of the time "
        f"and {entry.cpu / first.cpu:.2f} of the CPU{f': {entry.saves}' if entry.saves else ''}."
        for entry in others
        if entry.runs and entry.wall < first.wall
    ]
    if not faster:
        return "No program is faster.\n\n"
    lines = chr(10).join(faster)
    return f"Faster than this project, and why:\n\n{lines}\n\n"


def _start(results: Results) -> str:
    lines = []
    for outcome in results.outcomes:
        reached = sorted(outcome.to_query)[len(outcome.to_query) // 2]
        lines.append(
            f"| {TITLES[outcome.source]} | {reached:.2f} | {reached - results.baseline:+.2f} |"
        )
    return f"""## From the start of a process to its query

An empty Dagster project, started in the same way, reaches the body of its only asset after
{results.baseline:.2f} s. Before this project sends the query, it has read the settings and the
manifest, looked up the published version, imported the warehouse's driver and signed in:

| source | seconds | beyond the empty project |
|---|---|---|
{chr(10).join(lines)}"""


def plot(outcomes: Sequence[Outcome]) -> str:
    """One bar per program, as SVG; bars that are far too long are cut off."""
    bars: list[str] = []
    y = 10
    walls = [entry.wall for each in outcomes for entry in each.entries if entry.runs]
    own = [each.entries[0].wall for each in outcomes]
    longest = min(max(walls), _PROPORTION * max(own))
    for outcome in outcomes:
        bars.append(f'<text x="10" y="{y + 16}" class="t">{TITLES[outcome.source]}</text>')
        y += 28
        for entry in outcome.entries:
            if entry.runs:
                bars.append(_bar(entry, y, longest))
                y += _BAR
        y += 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" '
        f'font-family="sans-serif" font-size="13"><style>.t{{font-weight:bold;font-size:15px}}'
        f'</style><rect width="{_WIDTH}" height="{y}" fill="#fff"/>{"".join(bars)}</svg>\n'
    )


def _bar(entry: Entry, y: int, longest: float) -> str:
    width = (_WIDTH - _LEFT - _NOTE) * min(entry.wall, longest) / longest
    colour = "#1f6feb" if entry.name in (OURS, WHOLE) else "#b6bec9"
    cut = " →" if entry.wall > longest else ""
    return (
        f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(entry.name)}</text>'
        f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.0f}" height="{_BAR - 6}" fill="{colour}"/>'
        f'<text x="{_LEFT + width + 6:.0f}" y="{y + 14}">{cut} {entry.wall:.1f} s'
        f"{_note(entry.verdict)}</text>"
    )


def _note(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.equal:
        return " · other values"
    return " · types changed" if verdict.types else ""
