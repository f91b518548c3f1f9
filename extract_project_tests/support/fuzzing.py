"""SQL files that nobody would write: mutated valid ones, headers with odd values, and noise.

`python -m extract_project_tests.support.fuzzing --minutes 5` parses them for as long as it is told,
and prints how many there were. Each must give an extract that survives its snapshot, or an invalid
one that says why (G6).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from extract_project.checks import CHECKS
from extract_project.manifest.extract import Extract
from extract_project.manifest.header.model import Header
from extract_project_tests.support.parsing import parse

ROOT = Path(__file__).parent.parent.parent
SAMPLES = [path.read_text() for path in sorted((ROOT / "sql_manifest").rglob("*.sql"))]
FAULT_OF_OURS = "because of a bug in the parser"
"""The error for an unexpected exception in the parser. If an extract has it, that is a bug."""

PIECES = (
    *("/*---", "---*/", "-- ---", "--", "/*", "*/", "\n", "\r\n", "\r", "\t", " ", ":", ": "),
    *("{", "}", "[", "]", ",", "- ", "#", "&a", "*a", "!!int ", "!x", "|", ">", "'", '"', "%"),
    *("---", "...", "<<: ", "? ", "~", "null", "true", ".nan", "-.inf", "1e999999999", "0x1F"),
    *("2026-13-01", "2026-01-01T25:00:00Z", "0001-01-01", "9999-12-31", "99999999999999999999h"),
    *("\u2028", "\x85", "\x00", "\ufeff", "\u200f", "🙂", "é", "\\", '"\\ud800"', "1_0"),
    *(":a", ":watermark", ":partition_start", ";", "$$", "E'\\''", "select", "delete", "list<"),
    *("format", "schedule", "checks", "columns", "every 15 minutes", "*/15 * * * *", "decimal("),
)
WORDS = st.one_of(st.sampled_from(PIECES), st.text(max_size=8), st.integers().map(str))
NOISE = st.lists(WORDS, max_size=30).map("".join)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.sampled_from(PIECES),
    st.text(max_size=12),
)
KEYS = st.one_of(
    st.sampled_from([*Header.model_fields, *CHECKS]),
    st.sampled_from(["type", "start", "cursor", "lag", "rows", "bytes", "severity", "delay"]),
    st.text(max_size=6),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
STATEMENTS = st.sampled_from(
    [
        "select 1 as one",
        "select :partition_key as a, :x as b",
        "select u from t where :watermark is null or u >= :watermark",
    ]
)


@st.composite
def structured(draw: st.DrawFn) -> str:
    """A header of known keys, most of them with values of other keys."""
    data = draw(st.dictionaries(st.sampled_from([*Header.model_fields]), VALUES, max_size=4))
    text = yaml.safe_dump(data, allow_unicode=True) if data else ""
    sql = draw(STATEMENTS)
    if draw(st.booleans()):
        return f"/*---\n{text}---*/\n{sql}"
    lines = "".join(f"-- {line}\n" for line in text.splitlines())
    return f"-- ---\n{lines}-- ---\n{sql}"


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A sample with some of its parts removed, doubled, swapped or replaced."""
    text = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        middle = draw(st.one_of(st.just(""), WORDS, st.just(text[start:end] * 2), NOISE))
        text = text[:start] + middle + text[end:]
    return text


FENCED = st.builds("/*---\n{}\n---*/\n{}".format, NOISE, STATEMENTS)
FILES = st.one_of(
    st.binary(max_size=200),
    *(each.map(lambda text: text.encode("utf-8", "surrogatepass")) for each in (
        structured(), changed(), NOISE, FENCED
    )),
)  # fmt: skip


def survives(content: bytes, dialect: str = "duckdb") -> str:
    """Parse it; returns the kind of result, and raises AssertionError if that breaks a rule."""
    found = parse(content, dialect)
    again: Any = type(found).model_validate_json(found.model_dump_json())
    assert again == found
    if isinstance(found, Extract):
        assert found.header.crons is not None
        assert found.file_format.extension
        assert all(check.name and check.rule for check in found.header.audits)
        return "valid"
    for problem in found.problems:
        assert FAULT_OF_OURS not in problem.message, problem.message
        assert 1 <= problem.line <= found.text.count("\n") + 1, problem
        assert problem.column >= 1
        assert "\n" not in problem.message.split(":")[0]
    return "invalid"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    counts: Counter[str] = Counter()
    slowest = 0.0

    @settings(
        max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(FILES, st.sampled_from(["duckdb", "postgres", "snowflake"]))
    def attack(content: bytes, dialect: str) -> None:
        nonlocal slowest
        began = time.monotonic()
        counts[survives(content, dialect)] += 1
        slowest = max(slowest, time.monotonic() - began)

    number = options.seed
    while time.monotonic() < until:
        seed(number)(attack)()
        number += 1
    files = sum(counts.values())
    print(  # noqa: T201
        f"{files:,} files, {counts['valid']:,} of them valid, {counts['invalid']:,} invalid; "
        f"the slowest took {slowest:.1f} s; seeds {options.seed} to {number - 1}"
    )


if __name__ == "__main__":
    main()
