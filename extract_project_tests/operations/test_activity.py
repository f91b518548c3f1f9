"""What is kept of the runs of extracts: the last day whole, the last month in sum."""

from __future__ import annotations

from datetime import timedelta

from extract_project.operations.activity import Activity, Bar, Result
from extract_project.outcome import Outcome
from extract_project_tests.support.mornings import NOW, ago


def bar(run_id: str, outcome: Outcome, start: float, end: float | None) -> Bar:
    return Bar(
        run_id=run_id,
        outcome=outcome,
        start=ago(hours=start),
        end=None if end is None else ago(hours=end),
    )


def test_a_run_that_ends_replaces_the_one_that_was_running() -> None:
    running = Activity().with_runs([("a/b", bar("r1", Outcome.RUNNING, 1, None))])
    ended = running.with_runs([("a/b", bar("r1", Outcome.FAILED, 1, 0.5))])
    assert [each.outcome for each in ended.bars["a/b"].values()] == [Outcome.FAILED]
    assert [each.outcome for each in running.bars["a/b"].values()] == [Outcome.RUNNING]


def test_a_day_has_its_slowest_run_and_its_last_rows_in_any_order() -> None:
    results = [
        ("a/b", Result(at=ago(hours=2), seconds=5, rows=30)),
        ("a/b", Result(at=ago(hours=4), seconds=9, rows=20)),
        ("a/b", Result(at=ago(hours=3), seconds=7, rows=25)),
    ]
    for order in (results, results[::-1], [*results, *results]):
        (day,) = Activity().with_results(order).days["a/b"].values()
        assert (day.seconds, day.rows, day.last) == (9, 30, ago(hours=2))


def test_what_is_too_old_and_extracts_that_are_gone_are_left_out() -> None:
    known = (
        Activity(read=frozenset({"a/b", "a/gone"}))
        .with_runs(
            [
                ("a/b", bar("yesterday", Outcome.FAILED, 26, 25)),
                ("a/b", bar("overnight", Outcome.SUCCEEDED, 25, 23)),
                ("a/b", bar("endless", Outcome.RUNNING, 40, None)),
                ("a/gone", bar("r", Outcome.FAILED, 2, 1)),
            ]
        )
        .with_results(
            [
                ("a/b", Result(at=NOW - timedelta(days=days), seconds=1, rows=days))
                for days in (0, 29, 31)
            ]
        )
    )
    kept = known.without(["a/b"], NOW)
    assert set(kept.bars) == {"a/b"}
    assert set(kept.bars["a/b"]) == {"overnight", "endless"}
    assert [day.rows for day in kept.days["a/b"].values()] == [0, 29]
    assert (kept.read, kept.looked_at) == (frozenset({"a/b"}), NOW)
    assert Activity.model_validate_json(kept.model_dump_json()) == kept
