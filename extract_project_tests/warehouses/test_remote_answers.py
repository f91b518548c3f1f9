"""BigQuery and Databricks, when an answer is not of the form that its reference describes.

Whatever is missing or of another type: the run fails, may be tried again, and says what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import Cause, WarehouseError
from extract_project_tests.support import bigquery_server, databricks_server
from extract_project_tests.support.rigs import (
    LABEL,
    bigquery_service,
    bigquery_warehouse,
    databricks_service,
    databricks_warehouse,
    read,
)

HOUR = timedelta(hours=1)
SQL = "select a"
Reply = dict[str, Any]
Change = Callable[[Reply], Any]


def changed(service: object, method: str, change: Change) -> None:
    """Let a double change each answer of one kind."""
    original = getattr(service, method)
    setattr(service, method, lambda *asked: change(original(*asked)))


def without(*path: str) -> Change:
    def change(reply: Reply) -> Reply:
        *outer, last = path
        inner = reply
        for key in outer:
            inner = inner.get(key) or {}
        inner.pop(last, None)
        return reply

    return change


def with_(name: str, value: object) -> Change:
    return lambda reply: {**reply, name: value}


@pytest.mark.parametrize(
    ("method", "change", "said"),
    [
        ("insert", without("statistics", "query", "schema"), "says of the statement is not"),
        ("job", with_("jobReference", {"jobId": "x"}), "asked about job .* answered about x"),
        ("job", without("status"), "says of the job is not of the form"),
        ("job", without("configuration", "query"), "says of the result is not of the form"),
        ("results", without("schema"), "says of the result is not of the form"),
        ("results", with_("schema", {"fields": [None]}), "says of the result is not of the form"),
        ("results", with_("totalRows", "many"), "says of the result is not of the form"),
        ("results", lambda _: [1], "no proper answer .the answer is no JSON object"),
    ],
)
def test_an_answer_of_bigquery_that_is_not_understood(
    method: str, change: Change, said: str
) -> None:
    with bigquery_server.bigquery_server(bigquery_service()) as server:
        rows = {"a": ("INTEGER", pa.array(range(6)))}
        server.service.engine.script(SQL, bigquery_server.table(rows))
        changed(server.service, method, change)
        with bigquery_warehouse(server).connect(LABEL, HOUR) as session:
            assert_not_understood(session, said)


@pytest.mark.parametrize(
    ("method", "change", "said"),
    [
        ("status", with_("statement_id", "x"), "asked about statement .* answered about x"),
        ("status", without("status"), "says of the statement is not of the form"),
        ("status", without("manifest"), "described no result"),
        ("status", with_("manifest", {"schema": {"columns": [None]}}), "databricks' manifest"),
        (
            "status",
            with_("manifest", {"schema": {"columns": [{}]}, "total_row_count": "many"}),
            "databricks' manifest of the result is not of the form",
        ),
        ("link", with_("external_links", [{"external_link": ""}]), "gave no link to chunk 0"),
        ("link", with_("external_links", ["https://"]), "databricks' link to the result is not"),
        (
            "link",
            with_("external_links", [{"external_link": "x", "row_count": "many"}]),
            "databricks' link to the result is not of the form",
        ),
    ],
)
def test_an_answer_of_databricks_that_is_not_understood(
    method: str, change: Change, said: str
) -> None:
    with databricks_server.databricks_server(databricks_service()) as server:
        rows = {"a": ("BIGINT", pa.array(range(6)))}
        server.service.engine.script(SQL, databricks_server.table(rows))
        with databricks_warehouse(server).connect(LABEL, HOUR) as session:
            changed(server.service, method, change)
            assert_not_understood(session, said)


def assert_not_understood(session: Any, said: str) -> None:
    with pytest.raises(WarehouseError, match=said) as raised:
        read(session, SQL)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_a_start_that_is_confirmed_without_a_state_is_asked_for() -> None:
    """The query may run: nobody else would end it."""
    with databricks_server.databricks_server(databricks_service()) as server:
        changed(server.service, "submit", without("status"))
        with databricks_warehouse(server).connect(LABEL, HOUR) as session:
            assert read(session, "select 1 as a").num_rows == 1
