"""Structured logs: lines that programs read, and what a run writes in them."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from extract_project.journal import Journal
from extract_project.settings import load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_journal_that_nobody_can_write_costs_no_run() -> None:
    closed = io.StringIO()
    closed.close()
    Journal({"extract": "a/b"}, closed).write("published")
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")  # its disk is always full
    Journal({"extract": "a/b"}, full).write("published")
    with pytest.raises(OSError, match="No space left"):  # of what it kept
        full.close()


def test_each_fact_is_one_line_of_json() -> None:
    stream = io.StringIO()
    journal = Journal({"extract": "a/b", "partition": None}, stream)
    journal.write("staged", rows=3, seconds={"query": 0.5}, at=datetime(2026, 1, 1, tzinfo=UTC))
    journal.about(query_id="q1").write("failed", level="error", failure_report="first\nsecond")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {
        "level": "info",
        "event": "staged",
        "extract": "a/b",
        "rows": 3,
        "seconds": {"query": 0.5},
        "at": "2026-01-01 00:00:00+00:00",
    }
    assert (second["query_id"], second["failure_report"]) == ("q1", "first\nsecond")


def test_on_a_terminal_it_is_text() -> None:
    stream = Terminal()
    Journal({"extract": "a/b"}, stream).write("published", rows=3)
    assert stream.getvalue().endswith(" published extract=a/b rows=3\n")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_run_tells_what_it_did(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    site.put_sql("a/good", "/*---\npartitions: [eu]\n---*/\nselect :partition_key as r")
    site.put_sql("a/bad", "select nothing")
    defs = definitions(site, load_settings())
    with dg.DagsterInstance.ephemeral() as instance:
        good = execute(defs, instance, "a/good", partition="eu")
        told = lines(capsys.readouterr().err)
        execute(defs, instance, "a/bad")
        failed = lines(capsys.readouterr().err)
    assert [each["event"] for each in told] == ["started", "staged", "published"]
    for each in told:
        assert (each["extract"], each["partition"], each["run_id"]) == ("a/good", "eu", good.run_id)
    assert set(told[1]["seconds"]) >= {"connect", "query", "fetch", "encode", "upload", "total"}
    (version_id,) = site.version_ids("extracts/a/good/partition=eu/good.parquet")
    assert told[2]["version_id"] == version_id
    assert [each["event"] for each in failed] == ["started", "failed"]
    assert (failed[1]["level"], failed[1]["cause"]) == ("error", "sql")
    assert failed[1]["failure_report"].startswith("a/bad.sql:1:8")
