"""`usual`: whether a result looks like those before it, without a rule that anybody wrote.

Usual is what lies around the median of the versions before, as far as they scatter themselves, and
what two of them had: weekends come twice in ten days, an accident that was published does not.
Around it there is a margin, so that what never varied may still vary a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from extract_project.checks.base import Auditor, CheckSpec, Past, Subject, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.checks.base import Metrics

USUAL = "usual"
VERSIONS = 10
"""How many a result is compared with, at most."""

_FEWEST = 4
_DEVIATIONS = 4
_SIGMA = 1.4826
"""The median deviation of a normal distribution, times this, is its standard deviation."""
_ROWS_MARGIN = 0.1
_RATIO_MARGIN = 0.02
_FEW = 4
"""So many rows more or fewer, or NULLs, say nothing."""


class Usual(CheckSpec):
    """What `anomalies` is; it needs no entry in `checks`."""

    anomalies: Literal["warn", "fail"]
    may_be_empty: bool = False
    """Whether no rows at all are never unusual: those of an incremental extract, which make no
    version, are not learned from."""

    @property
    def name(self) -> str:
        return USUAL

    @property
    def rule(self) -> str:
        return f"rows and nulls as in up to {VERSIONS} versions before of the same SQL"

    def auditor(self, subject: Subject) -> Auditor:
        return _Usual(subject.schema.names, subject.past, self.may_be_empty)


@dataclass(frozen=True)
class Range:
    """What is usual: from `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def usual_rows(seen: Sequence[int]) -> Range:
    """The usual number of rows; none at all is usual only where it came twice."""
    middle = median(seen)
    margin = max(_ROWS_MARGIN * middle, _DEVIATIONS * sqrt(middle), _FEW)
    around = _around(seen, margin)
    return Range(max(around.low, 1 if sorted(seen)[1] else 0), around.high)


def usual_ratio(seen: Sequence[float], rows: int) -> Range:
    """The usual share of NULLs in a column of a result with so many rows."""
    middle = median(seen)
    noise = _DEVIATIONS * sqrt(middle * (1 - middle) / rows)
    around = _around(seen, max(_RATIO_MARGIN, noise, _FEW / rows))
    return Range(max(around.low, 0), min(around.high, 1))


def _around(seen: Sequence[float], margin: float) -> Range:
    middle, ordered = median(seen), sorted(seen)
    spread = _DEVIATIONS * _SIGMA * median(abs(value - middle) for value in seen)
    reach = max(spread, margin)
    return Range(min(ordered[1], middle - reach), max(ordered[-2], middle + reach))


class _Usual(Auditor):
    def __init__(self, columns: Sequence[str], past: Past, may_be_empty: bool) -> None:
        self._past, self._may_be_empty = past, may_be_empty
        self._nulls = dict.fromkeys(columns, 0)
        self._rows = 0

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:
        self._rows += batch.num_rows
        for name in self._nulls:
            self._nulls[name] += batch.column(name).null_count

    def conclude(self, result: Any) -> Verdict:
        before, kind = self._past.comparable, self._past.kind
        metrics: dict[str, int | float | str] = {"rows": self._rows, kind: len(before)}
        if len(before) < _FEWEST:
            summary = f"nothing is usual before {_FEWEST} {kind} of this SQL: {len(before)} so far"
            return Verdict(True, summary, metrics)
        if not self._rows and self._may_be_empty:
            return Verdict(True, "no new rows", metrics)
        usual = usual_rows([each.rows for each in before])
        low, high = ceil(usual.low), floor(usual.high)
        metrics |= {"usual rows, from": low, "usual rows, to": high}
        rows = f"{self._rows:,} rows; usual are {low:,} to {high:,}"
        unusual = [] if self._rows in usual else [rows]
        for name, ratio, ratios in self._ratios(before):
            metrics[f"null ratio {name}"] = round(ratio, 6)
            unusual.append(
                f"{name} is null in {ratio:.2%} of the rows; usual are "
                f"{ratios.low:.2%} to {ratios.high:.2%}"
            )
        over = f"over the last {len(before)} {kind}"
        if unusual:
            return Verdict(False, "\n".join(f"{each}, {over}" for each in unusual), metrics)
        return Verdict(True, f"{rows}, {over}; nulls as usual", metrics)

    def _ratios(self, before: Sequence[Metrics]) -> list[tuple[str, float, Range]]:
        """Columns with an unusual share of NULLs, that share, and the usual ones."""
        if not self._rows:
            return []
        found = []
        for name, nulls in self._nulls.items():
            seen = [
                each.nulls[name] / each.rows for each in before if each.rows and name in each.nulls
            ]
            if len(seen) < _FEWEST:
                continue
            ratio, usual = nulls / self._rows, usual_ratio(seen, self._rows)
            if ratio not in usual:
                found.append((name, ratio, usual))
        return found
