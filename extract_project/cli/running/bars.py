"""Runs as a picture of bars over time, one line for each extract, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.text import Text

from extract_project.deployment.runs import RunRow
from extract_project.outcome import Outcome
from extract_project.visible import one_line

_SIGNS: Mapping[Outcome, tuple[str, str]] = {
    Outcome.SUCCEEDED: ("█", "green"),
    Outcome.FAILED: ("×", "red"),  # noqa: RUF001 - it is a sign, not a letter
    Outcome.REFUSED: ("!", "red"),
    Outcome.CANCELLED: ("▒", "yellow"),
    Outcome.RUNNING: ("▸", "cyan"),
    Outcome.QUEUED: ("·", "dim"),
}
_WAITED = ("·", "dim")
_LEGEND: tuple[Outcome, ...] = (
    Outcome.QUEUED,
    Outcome.RUNNING,
    Outcome.SUCCEEDED,
    Outcome.REFUSED,
    Outcome.FAILED,
    Outcome.CANCELLED,
)
_NARROWEST = 20
_MOST_LINES = 60
_TICK_CELLS = 12
"""Columns between two times on the axis."""


def picture(rows: Sequence[RunRow], since: datetime, until: datetime, width: int) -> Text:
    """The runs between two times, for a terminal of so many columns. Times are local."""
    by_extract: dict[str, list[RunRow]] = {}
    for row in rows:
        for path in row.extracts:
            by_extract.setdefault(path, []).append(row)
    shown = dict(list(by_extract.items())[:_MOST_LINES])
    label = max((cell_len(one_line(path)) for path in shown), default=0)
    axis = _Axis(since, until, max(width - label - 2, _NARROWEST))
    lines = [Text.assemble(" " * (label + 2), (axis.times(), "dim"))]
    for path, runs in shown.items():
        name = one_line(path)
        lines.append(Text.assemble(name, " " * (label + 2 - cell_len(name)), _bars(runs, axis)))
    if len(by_extract) > len(shown):
        lines.append(Text(f"and {len(by_extract) - len(shown):,} more extracts", "dim"))
    legend = (Text.assemble(_SIGNS[each], f" {each}  ") for each in _LEGEND)
    lines.append(Text.assemble(" " * (label + 2), *legend))
    return Text("\n").join(lines)


class _Axis:
    """Times as columns of the terminal."""

    def __init__(self, since: datetime, until: datetime, cells: int) -> None:
        self.since, self.until, self.cells = since, until, cells
        self._per_cell = max((until - since) / cells, timedelta(microseconds=1))

    def cell(self, moment: datetime) -> int:
        """The column of a time; times outside are at the edges."""
        inside = min(max(moment, self.since), self.until)
        return min(int((inside - self.since) / self._per_cell), self.cells - 1)

    def times(self) -> str:
        """The local times along the axis, with their days if it is longer than a day."""
        form = "%H:%M" if self.until - self.since <= timedelta(days=1) else "%a %H:%M"
        line = ""
        for cell in range(0, self.cells - len("00:00"), _TICK_CELLS):
            moment = (self.since + cell * self._per_cell).astimezone()
            line = line.ljust(cell) + f"{moment:{form}}"
        return line[: self.cells]


def _bars(runs: Sequence[RunRow], axis: _Axis) -> Text:
    cells: list[tuple[str, str]] = [(" ", "")] * axis.cells
    for run in runs:
        began = run.started_at or axis.until
        for cell in range(axis.cell(run.created_at), axis.cell(began)):
            cells[cell] = _WAITED
        sign = _SIGNS[run.outcome]
        ended = run.ended_at or axis.until
        start = run.started_at or run.created_at
        for cell in range(axis.cell(start), axis.cell(ended) + 1):
            cells[cell] = sign
    return Text.assemble(*cells)
