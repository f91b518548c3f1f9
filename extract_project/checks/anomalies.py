"""`anomalies`: compare a result with the versions before it, without a rule written by hand.

The expected range is centred on the median of the baseline. Its width follows the baseline's
spread, and it includes every value that two versions share: ten days contain two weekends, but one
faulty version. A margin keeps a value that has never varied from failing at its first change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict

if TYPE_CHECKING:
    from extract_project.metrics import Metrics

ANOMALIES = "anomalies"
"""The name of the check in Dagster, in receipts and in releases."""
VERSIONS = 10
"""The most versions that a result is compared with."""

_FEWEST = 4
_DEVIATIONS = 4
_SIGMA = 1.4826
"""Standard deviation of a normal distribution, divided by its median deviation."""
_ROWS_MARGIN = 0.1
_RATIO_MARGIN = 0.02
_FEW = 4
"""Deviations of up to 4 rows, or NULLs, are ignored."""


class Anomalies(CheckSpec):
    """The header key `anomalies` as a check; it needs no entry in `checks`."""

    anomalies: Literal["warn", "fail"]
    may_be_empty: bool = False
    """Whether a result without rows always passes. True for incremental extracts: they publish no
    version without new rows, so the baseline contains no such version."""

    @property
    def name(self) -> str:
        return ANOMALIES

    @property
    def rule(self) -> str:
        return f"rows and nulls as in up to {VERSIONS} earlier versions of the same SQL"

    def auditor(self, subject: Subject) -> Auditor:
        return _Anomalies(subject, self.may_be_empty)


@dataclass(frozen=True)
class Range:
    """The expected values: from `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def expected_rows(seen: Sequence[int]) -> Range:
    """The expected number of rows; zero only if two versions of the baseline had no rows."""
    middle = median(seen)
    margin = max(_ROWS_MARGIN * middle, _DEVIATIONS * sqrt(middle), _FEW)
    around = _around(seen, margin)
    return Range(max(around.low, 1 if sorted(seen)[1] else 0), around.high)


def expected_ratio(seen: Sequence[float], rows: int) -> Range:
    """The expected share of NULLs in a column of a result with `rows` rows."""
    middle = median(seen)
    noise = _DEVIATIONS * sqrt(middle * (1 - middle) / rows)
    around = _around(seen, max(_RATIO_MARGIN, noise, _FEW / rows))
    return Range(max(around.low, 0), min(around.high, 1))


def _around(seen: Sequence[float], margin: float) -> Range:
    middle, ordered = median(seen), sorted(seen)
    spread = _DEVIATIONS * _SIGMA * median(abs(value - middle) for value in seen)
    reach = max(spread, margin)
    return Range(min(ordered[1], middle - reach), max(ordered[-2], middle + reach))


class _Anomalies(Auditor):
    def __init__(self, subject: Subject, may_be_empty: bool) -> None:
        self._subject, self._may_be_empty = subject, may_be_empty

    def conclude(self, result: Any) -> Verdict:
        baseline, kind = self._subject.baseline.comparable, self._subject.baseline.kind
        counted = self._subject.counted()
        metrics: dict[str, int | float | str] = {"rows": counted.rows, kind: len(baseline)}
        if len(baseline) < _FEWEST:
            summary = (
                f"not checked before there are {_FEWEST} {kind} of this SQL: {len(baseline)} so far"
            )
            return Verdict(True, summary, metrics)
        if not counted.rows and self._may_be_empty:
            return Verdict(True, "no new rows", metrics)
        expected = expected_rows([each.rows for each in baseline])
        low, high = ceil(expected.low), floor(expected.high)
        metrics |= {"expected rows, from": low, "expected rows, to": high}
        rows = f"{counted.rows:,} rows; expected {low:,} to {high:,}"
        unusual = [] if counted.rows in expected else [rows]
        for name, ratio, ratios in _unusual_nulls(counted, baseline):
            metrics[f"null ratio {name}"] = round(ratio, 6)
            unusual.append(
                f"{name} is null in {ratio:.2%} of the rows; expected "
                f"{ratios.low:.2%} to {ratios.high:.2%}"
            )
        over = f"from the last {len(baseline)} {kind}"
        if unusual:
            return Verdict(False, "\n".join(f"{each}, {over}" for each in unusual), metrics)
        return Verdict(True, f"{rows}, {over}; nulls as expected", metrics)


def _unusual_nulls(counted: Metrics, baseline: Sequence[Metrics]) -> list[tuple[str, float, Range]]:
    """The columns with an unexpected share of NULLs: name, share and expected range."""
    if not counted.rows:
        return []
    found = []
    for name, nulls in counted.nulls.items():
        seen = [
            each.nulls[name] / each.rows for each in baseline if each.rows and name in each.nulls
        ]
        if len(seen) < _FEWEST:
            continue
        ratio, expected = nulls / counted.rows, expected_ratio(seen, counted.rows)
        if ratio not in expected:
            found.append((name, ratio, expected))
    return found
