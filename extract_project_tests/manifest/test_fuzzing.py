"""A short run of `make fuzz`, the same each time, and what longer ones have found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract_project.manifest.extract import InvalidExtract
from extract_project_tests.support.fuzzing import FILES, survives
from extract_project_tests.support.parsing import header, parse


@settings(
    max_examples=400,
    derandomize=True,
    suppress_health_check=[HealthCheck.data_too_large],
)
@given(FILES, st.sampled_from(["duckdb", "postgres", "snowflake"]))
def test_g6_any_file_is_an_extract_or_says_why_not(content: bytes, dialect: str) -> None:
    survives(content, dialect)


@pytest.mark.parametrize(
    "content",
    [
        header(f"description: {'x' * (1 << 20)}"),
        header("\n".join(f"k{n}: x" for n in range(20_000))),
        header("tags: " + "{a: " * 5_000),
        header("checks: " + "- " * 5_000),
        header("partitions: [" + ", ".join(f"k{n}" for n in range(20_000)) + "]", "select 1"),
        header("owners: a@" + "." * 200_000 + "@"),
        header("timeout: " + "1s" * 100_000 + "x"),
        header("columns: {a: '" + "list<" * 10_000 + "'}"),
        header("columns: {a: 'struct<\"" + '""' * 50_000 + "'}"),
        header("schedule: '" + "0,".join("" for _ in range(50_000)) + " * * * *'"),
        header("schedule: 'daily at " + " and ".join(["06:00"] * 20_000) + "'"),
        header("checks: [{sql: '" + "(" * 5_000 + "'}]"),
        header("params: {" + ", ".join(f"p{n}: {n}" for n in range(5_000)) + "}"),
        "-- ---\n" * 50_000,
        "/*---\n" * 50_000,
        "/*" * 100_000,
        "-- a\n" * 100_000 + "select 1",
        "'" * 100_001,
        "$a" * 100_000,
        "/* ---\n" + "a: b\n" * 50_000,
    ],
    ids=range(20),
)
def test_g6_large_files_end_too(content: str) -> None:
    """None of them hangs: the time limit of a test is that of all of them."""
    survives(content.encode())


def test_g6_what_nobody_foresaw_costs_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any error from within a parser, which has had such faults before."""
    import pgparse

    def broken(*_: object, **__: object) -> object:
        raise KeyError("of some release")

    monkeypatch.setattr(pgparse, "parse", broken)
    found = parse("select 1 as one", "postgres")
    assert isinstance(found, InvalidExtract)
    assert "this file could not be parsed, because of a bug in the parser" in found.reasons[0]
