"""Messages arrive in Slack's markup; the webhook's address appears in no error and in no log."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from extract_project.alerts.channels import SlackChannel
from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.channels.slack import TEXT_CHARACTERS, mrkdwn
from extract_project.alerts.message import Alert, Kind, Message, compose
from extract_project.errors import AlertError
from extract_project_tests.support.channels.servers import free_port, silence
from extract_project_tests.support.channels.slack_server import PATH, SlackServer, slack_server

MESSAGE = Message("1 extract failed - prod", "sql: 1 extract\n\nnext:\n    extract failed")
REPORT = "a.sql:2:1: no column x < y\n\n    2 | select x & y\n      |        ^"


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with slack_server() as running:
        yield running


def refusal(channel: SlackChannel) -> AlertError:
    with pytest.raises(AlertError) as raised:
        channel.send(MESSAGE)
    shown = "".join(traceback.format_exception(raised.value))
    assert [part for part in PATH.split("/") if part and part in shown] == []
    return raised.value


def alert(report: str) -> Alert:
    return Alert(Kind.FAILED, "a", None, "sql", report, "https://dagster/runs/1?a=1&b=2", "1")


def test_a_message_arrives_with_its_cards_as_code(server: SlackServer) -> None:
    server.channel.send(compose([alert(REPORT)], "prod"))
    assert server.texts == [
        "*1 extract failed (sql): a - prod*\n\n"
        "1 EXTRACT FAILED\n\n"
        "sql: 1 extract\n\n"
        "```\n"
        "a.sql:2:1: no column x &lt; y\n\n"
        "    2 | select x &amp; y\n"
        "      |        ^\n"
        "```\n\n"
        "- a: https://dagster/runs/1?a=1&amp;b=2\n\n"
        "next:\n```\nextract failed\nextract rerun --failed\n```"
    ]


def test_a_card_cannot_leave_its_code_block() -> None:
    text = mrkdwn(compose([alert("a.sql: bad\n``` *bold* ```")], "prod"))
    assert text.count("```") == 4
    assert "''' *bold* '''" in text


@pytest.mark.parametrize("letter", ["x", "&", "\n", "😀"])
def test_a_long_message_is_cut_and_keeps_the_next_step(letter: str) -> None:
    long = Message("s" * 99, f"    start\n    {letter * 100_000}end\n\nnext:\n    extract failed")
    text = mrkdwn(long)
    assert len(text) <= TEXT_CHARACTERS
    assert "start" in text
    assert text.endswith(
        "… the rest does not fit into one message\n\nnext:\n```\nextract failed\n```"
    )
    assert text.count("```") == 4


def test_a_message_of_any_form_fits() -> None:
    assert mrkdwn(Message("s", "one paragraph")) == "*s*\n\none paragraph"
    assert len(mrkdwn(Message("s", "x" * 100_000))) <= TEXT_CHARACTERS
    assert len(mrkdwn(Message("s", "a\n\n" + "x" * 100_000))) <= TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("status", "said", "transient"),
    [
        (404, "no_service", False),
        (403, "action_prohibited", False),
        (429, "rate_limited", True),
        (500, "rollup_error", True),
        (503, "", True),
    ],
)
def test_a_refusal_names_the_setting(
    server: SlackServer, status: int, said: str, transient: bool
) -> None:
    server.answer = (status, said)
    error = refusal(server.channel)
    assert f"127.0.0.1 answered {status} {said}".strip() in str(error)
    assert "EXTRACT_ALERTS__SLACK_WEBHOOK" in str(error)
    assert error.transient is transient


def test_g11_an_answer_that_quotes_the_address_is_not_told(server: SlackServer) -> None:
    for said in (f"<p>no {PATH} here</p>", "services"):
        server.answer = (404, said)
        refusal(server.channel)


def test_g11_no_log_holds_the_address(
    server: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        server.channel.send(MESSAGE)
    assert len(server.texts) == 1
    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(server.channel)


def test_a_redirect_is_not_followed(server: SlackServer) -> None:
    server.answer = (302, "")
    server.headers = {"Location": f"{server.address}/elsewhere"}
    assert "answered 302" in str(refusal(server.channel))
    assert server.requests == 1


def test_nobody_listens() -> None:
    error = refusal(SlackChannel(webhook=SecretStr(f"http://localhost:{free_port()}{PATH}")))
    assert "localhost could not be reached: [Errno" in str(error)
    assert error.transient


def test_a_server_without_tls_is_told(server: SlackServer) -> None:
    address = server.address.replace("http:", "https:")
    error = refusal(SlackChannel(webhook=SecretStr(address + PATH)))
    assert "SSL" in str(error)


def test_a_silent_server_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TIMEOUT_SECONDS == 10
    monkeypatch.setattr("extract_project.alerts.channels.slack.TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    with silence() as port:
        error = refusal(SlackChannel(webhook=SecretStr(f"http://127.0.0.1:{port}{PATH}")))
    assert "timed out" in str(error)
    assert error.transient
    assert time.monotonic() - started < 5
