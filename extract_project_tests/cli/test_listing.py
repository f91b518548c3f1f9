"""Tables and pictures for terminals of any width: no identifier is ever broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from extract_project.cli.listing import Column, Listing
from extract_project.cli.running.bars import picture
from extract_project.deployment.runs import RunRow
from extract_project.outcome import Outcome

PATH = "sales/orders_of_a_very_long_name"
VERSION = "3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY"
WHY = "its latest attempt failed because the table is not there"
AT = datetime(2026, 3, 2, 5, tzinfo=UTC)


def listing() -> Listing:
    built = Listing(
        (
            Column("extract"),
            Column("owner", drop=2),
            Column("rows", drop=1, right=True),
            Column("version"),
            Column("why"),
        )
    )
    built.add(PATH, "team:sales", "1,000", VERSION, WHY)
    built.add("a/b", "", "7", VERSION, "")
    return built


@pytest.mark.parametrize("width", [None, 200, 120, 100, 80, 40])
def test_identifiers_stay_whole(width: int | None) -> None:
    lines = listing().lines(width)
    text = "\n".join(lines)
    assert PATH in text
    assert VERSION in text
    told = [line for row in lines for line in row.splitlines()]
    if width and width >= 100:
        assert max(map(len, told)) <= width
    assert " ".join(text.split()).count("table") == 1


def test_columns_are_left_out_in_their_order() -> None:
    assert "owner" in listing().lines(None)[0]
    heads = {width: listing().lines(width)[0] for width in (200, 105, 95)}
    assert "owner" in heads[200]
    assert ("owner" in heads[105], "rows" in heads[105]) == (False, True)
    assert ("owner" in heads[95], "rows" in heads[95]) == (False, False)


def test_an_empty_column_is_not_shown() -> None:
    built = Listing((Column("extract"), Column("owner", drop=1), Column("why")))
    built.add("a/b", "", "x")
    assert built.lines(None) == ["extract  why", "a/b      x"]


def test_foreign_text_moves_no_cursor() -> None:
    built = Listing((Column("extract"), Column("why")))
    built.add("a/b", "no\x1b[2J such\nday")
    assert built.lines(None)[1] == r"a/b      no\x1b[2J such\nday"


def run(path: str, outcome: Outcome, *minutes: int) -> RunRow:
    created, started, ended = (AT + timedelta(minutes=each) for each in minutes)
    return RunRow(
        run_id="r",
        extracts=(path,),
        partition=None,
        outcome=outcome,
        cause="schedule",
        failure=None,
        created_at=created,
        started_at=started,
        ended_at=ended,
        seconds=(ended - started).total_seconds(),
    )


def test_the_picture_has_a_bar_where_a_run_was() -> None:
    rows = [run("a/b", Outcome.SUCCEEDED, 0, 15, 30), run("a/long", Outcome.FAILED, 45, 45, 46)]
    drawn = picture(rows, AT, AT + timedelta(hours=1), 68)
    axis, first, second, legend = drawn.plain.splitlines()
    assert first == "a/b     " + "·" * 15 + "█" * 16 + " " * 29
    assert second == "a/long  " + " " * 45 + "××" + " " * 13  # noqa: RUF001 - the sign
    assert axis.split()[0] == f"{AT.astimezone():%H:%M}"
    assert "succeeded" in legend
    assert {str(span.style) for span in drawn.spans} >= {"green", "red"}


def test_a_row_stays_on_one_line_where_another_needs_more() -> None:
    built = Listing((Column("key"), Column("from"), Column("value")))
    built.add("unique_number_of_the_customer_in_the_shop", "sales/orders.sql:3:10", "a long value")
    built.add("owners", "default", "none")
    assert built.lines(60) == [
        "key  from  value",
        "unique_number_of_the_customer_in_the_shop\n    sales/orders.sql:3:10  a long value",
        "owners  default  none",
    ]
