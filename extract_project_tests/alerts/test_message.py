"""One message for many alerts: what it says, in which order, and that it stays within limits."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.alerts.message import SUBJECT_CHARACTERS, TEXT_BYTES, Alert, Kind, compose

MANY = 5_000
REPORT = "a report line, with some ünicode\n" * 320  # 10 kB


def failed(
    extract: str, cause: str = "network", failure_report: str = "", **changes: str | None
) -> Alert:
    fields = {"partition": None, "run_url": None, "run_id": None, **changes}
    return Alert(Kind.FAILED, extract, cause=cause, failure_report=failure_report, **fields)


def test_a_message_tells_each_kind_with_its_causes() -> None:
    refused = Alert(
        *(Kind.REFUSED, "sales/lines", "2026-01-01", "audit"),
        "sales/lines.sql:5:3: 2 rows are not unique\n    order_id=7",
        *("https://dagster/runs/4", "4"),
    )
    alerts = [
        failed("sales/orders", "sql", "sales/orders.sql:4:3: no column x", run_id="1"),
        failed(
            "b",
            failure_report="b.sql: no answer\n\nnothing published",
            run_url="https://dagster/runs/2",
        ),
        failed(
            "a",
            failure_report="a.sql: no answer\n\nnothing published",
            run_url="https://dagster/runs/3",
        ),
        Alert(Kind.RECOVERED, "hr/staff", None, "network", "", None, None),
        refused,
        Alert(Kind.STALE, "hr/teams", None, "", "published 3 days ago", None, None),
    ]
    message = compose(alerts, "prod")
    assert message.subject == (
        "3 extracts failed (2 network, 1 sql), 1 refused (audit), 1 recovered, 1 stale - prod"
    )
    assert message.text == (
        "3 EXTRACTS FAILED\n\n"
        "network: 2 extracts\n\n"
        "    a.sql: no answer\n\n    nothing published\n\n"
        "- a: https://dagster/runs/3\n- b: https://dagster/runs/2\n\n"
        "sql: 1 extract\n\n"
        "    sales/orders.sql:4:3: no column x\n\n"
        "- sales/orders: run 1\n\n"
        "1 EXTRACT REFUSED BY AN AUDIT\n\n"
        "audit: 1 extract\n\n"
        "    sales/lines.sql:5:3: 2 rows are not unique\n        order_id=7\n\n"
        "- sales/lines [2026-01-01]: https://dagster/runs/4\n\n"
        "1 EXTRACT RECOVERED\n\n"
        "network: 1 extract\n\n"
        "- hr/staff\n\n"
        "1 EXTRACT STALE\n\n"
        "    published 3 days ago\n\n"
        "- hr/teams\n\n"
        "next:\n    extract failed\n    extract rerun --failed"
    )


def test_one_outage_is_one_card_and_a_list_of_names() -> None:
    alerts = [
        failed(
            f"t{number:03}", failure_report=f"t{number:03}.sql:{number}:1: no answer from snowflake"
        )
        for number in range(170)
    ]
    text = compose(alerts, "prod").text
    assert text.count("no answer from snowflake") == 1
    assert re.findall(r"^- (t\d+)", text, re.MULTILINE) == [f"t{each:03}" for each in range(50)]
    assert "- … and 120 more\n" in text


def test_a_group_shows_three_cards_and_fifty_names_of_all_its_errors() -> None:
    sizes = {"huge": 200, "large": 30, "small": 2, "tiny": 1}
    alerts = [
        failed(f"{word}{number:03}", failure_report=f"error {word}\nwith {word}{number:03}")
        for word, size in sizes.items()
        for number in range(size)
    ]
    text = compose(alerts, "prod").text
    assert re.findall(r"^ {4}error (\w+)", text, re.MULTILINE) == ["huge", "large", "small"]
    assert "other errors:\n- tiny000" in text
    names = re.findall(r"^- ([a-z]+)\d+", text, re.MULTILINE)
    shown = {word: names.count(word) for word in sizes}
    assert shown == {"huge": 24, "large": 23, "small": 2, "tiny": 1}
    assert "- … and 176 more" in text
    assert "- … and 7 more" in text


def test_partitions_of_one_extract_are_one_extract() -> None:
    alerts = [failed("a", partition=f"2026-01-{day:02}") for day in range(1, 25)]
    message = compose(alerts, "prod")
    assert message.subject == "1 extract failed (network) - prod"
    assert "network: 1 extract (24 partitions)" in message.text


def test_a_single_alert_is_named_in_the_subject() -> None:
    subject = compose([failed("sales/orders", partition="2026-01-01")], "prod").subject
    assert subject == "1 extract failed (network): sales/orders [2026-01-01] - prod"
    subject = compose([failed("x" * 200)], "prod").subject
    assert subject == "1 extract failed (network) - prod"


def test_a_subject_without_room_sums_up_the_rarer_causes() -> None:
    words = ["permission", "network", "warehouse busy", "out of memory", "sql", "no such table"]
    alerts = [failed(f"{w}{n}", w) for index, w in enumerate(words) for n in range(9 - index)]
    subject = compose(alerts, "prod").subject
    assert subject == (
        "39 extracts failed (9 permission, 8 network, 7 warehouse busy, 6 out of memory, 9 other)"
        " - prod"
    )


def test_a_subject_is_plain_ascii_on_one_line() -> None:
    subject = compose([failed("größe\n1", "n\x07e\rt")], "prod — Zürich\n").subject
    assert subject == "1 extract failed (n?e t): gro?e 1 - prod ? Zurich"


def test_what_no_channel_can_carry_is_replaced() -> None:
    text = compose(
        [failed("a", failure_report="bad \x00 \x1b[31m \ud800\r\nnext\u2028line")], "prod"
    ).text
    assert "    bad \ufffd \ufffd[31m \ufffd\n    next\n    line\n" in text


def test_only_what_can_be_rerun_is_to_be_rerun() -> None:
    recovered = Alert(Kind.RECOVERED, "a", None, "network", "", None, None)
    assert compose([recovered], "prod").text.endswith("next:\n    extract failed")


def test_the_same_alert_twice_is_told_once() -> None:
    assert compose([failed("a")] * 2, "prod") == compose([failed("a")], "prod")


def test_no_alert_is_no_message() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        compose([], "prod")


def heavy(shape: str) -> list[Alert]:
    """As many alerts as there are extracts in a large installation, each with a report of 10 kB."""
    if shape == "one cause":
        return [
            failed(f"t{n}", failure_report=f"error {n}\n{REPORT}", run_url="u") for n in range(MANY)
        ]
    if shape == "twenty causes":
        return [failed(f"t{n}", f"cause {n % 20}", f"error {n}\n{REPORT}") for n in range(MANY)]
    if shape == "as many causes":
        return [failed(f"t{n}", f"cause {n}", REPORT) for n in range(MANY)]
    if shape == "long names":
        return [
            failed(f"{n}{'ü' * 500}", f"cause {n % 9}", REPORT, run_url="u" * 2000)
            for n in range(MANY)
        ]
    if shape == "reports of one line":
        return [failed(f"t{n}", f"cause {n % 20}", f"{n}" + "ü" * 5_000) for n in range(MANY)]
    return [failed(f"t{n}", f"cause {n % 20}", f"{n}\n" + "x\n" * 5_000) for n in range(MANY)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [
        "one cause",
        "twenty causes",
        "as many causes",
        "long names",
        "reports of one line",
        "short lines",
    ],
)
def test_limits_hold_for_a_large_installation(shape: str) -> None:
    alerts = heavy(shape)
    message = compose(alerts, "deployment " * 20)
    assert len(message.subject) <= SUBJECT_CHARACTERS
    assert len(message.text.encode()) <= TEXT_BYTES
    assert message.text.endswith("\n\nnext:\n    extract failed\n    extract rerun --failed")
    random.Random(1).shuffle(alerts)
    assert compose(alerts, "deployment " * 20) == message


def test_three_cards_of_ten_kilobytes_are_shown_in_full() -> None:
    text = compose(heavy("one cause"), "prod").text
    assert text.count(REPORT.splitlines()[0]) == 3 * 320
    assert "the rest of this report" not in text


def test_every_group_of_a_large_installation_is_told() -> None:
    text = compose(heavy("twenty causes"), "prod").text
    assert re.findall(r"^cause \d+: 250 extracts$", text, re.MULTILINE) != []
    assert len(re.findall(r"^cause \d+: 250 extracts$", text, re.MULTILINE)) == 20
    assert "… the rest of this report: extract failed" in text
    assert "rest does not fit into one message" not in text


words = st.sampled_from(["", "a", "sales/orders", "größe", "x y\nz"])
texts = st.text(max_size=200) | st.sampled_from(["a.sql:1: no", "b.sql:2: no", "one\n\ntwo"])
alerts_of_any_kind = st.lists(
    st.builds(
        Alert,
        kind=st.sampled_from(Kind),
        extract=words | st.text(max_size=150),
        partition=st.none() | words,
        cause=words | st.text(st.characters(exclude_characters="-"), max_size=150),
        failure_report=texts,
        run_url=st.none() | texts,
        run_id=st.none() | words,
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@given(alerts_of_any_kind, st.text(max_size=150), st.randoms(use_true_random=False))
def test_any_alerts_make_a_message_that_every_channel_takes(
    alerts: list[Alert], deployment: str, chance: random.Random
) -> None:
    message = compose(alerts, deployment)
    assert 0 < len(message.subject) <= SUBJECT_CHARACTERS
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert len(message.text.encode()) <= TEXT_BYTES
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", message.text)
    assert message.text.splitlines()[-1].startswith("    extract ")
    # Nobody is left out: each is on a line of its own, or counted.
    lines = [line for line in message.text.split("\n") if line.startswith("- ")]
    hidden = [int(line.split()[3]) for line in lines if re.match(r"- … and \d+ more$", line)]
    assert len(lines) - len(hidden) + sum(hidden) == len(set(alerts))
    chance.shuffle(alerts)
    assert compose(alerts, deployment) == message
