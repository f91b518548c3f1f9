"""What boto3 sends for a message, and what becomes of SNS's refusals."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator

import pytest

from extract_project.alerts.channels import SnsChannel
from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.message import Alert, Kind, Message, compose
from extract_project.errors import AlertError
from extract_project_tests.support.channels.servers import free_port, silence
from extract_project_tests.support.channels.sns_server import SnsServer, sns_server

TOPIC = "arn:aws:sns:eu-central-1:123456789012:extracts"
MESSAGE = Message("1 extract failed - prod", "was wäre wenn …\n\nnext: extract failed")
SECRET = "hunter2hunter2"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SnsServer]:
    """Where this process's AWS SDK goes; its own region is not the topic's."""
    with sns_server() as running:
        running.topics.append(TOPIC)
        for name, value in {
            "AWS_ENDPOINT_URL": running.address,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        yield running


def refusal(topic: str = TOPIC) -> AlertError:
    with pytest.raises(AlertError) as raised:
        SnsChannel(topic_arn=topic).send(MESSAGE)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    return raised.value


def test_a_message_is_published_in_the_topics_region(server: SnsServer) -> None:
    SnsChannel(topic_arn=TOPIC).send(MESSAGE)
    assert server.published == [(TOPIC, MESSAGE.subject, MESSAGE.text)]


def test_the_largest_message_is_taken(server: SnsServer) -> None:
    alerts = [
        Alert(Kind.FAILED, f"a{number}", None, f"cause {number % 30}", "ä\n" * 5_000, None, None)
        for number in range(5_000)
    ]
    SnsChannel(topic_arn=TOPIC).send(compose(alerts, "prod"))
    [(_, _, message)] = server.published
    assert len(message.encode()) > 100_000


def test_a_topic_that_does_not_exist(server: SnsServer) -> None:
    error = refusal(TOPIC + "-of-nobody")
    assert f"topic {TOPIC}-of-nobody does not exist: correct EXTRACT_ALERTS__SNS_TOPIC" in str(
        error
    )
    assert not error.transient


@pytest.mark.parametrize(
    ("status", "code", "transient", "requests"),
    [
        (403, "AuthorizationError", False, 1),
        (400, "KMSAccessDenied", False, 1),
        (400, "InvalidParameter", False, 1),
        (403, "ExpiredToken", True, 1),
        (400, "Throttling", True, 2),
        (500, "InternalError", True, 2),
        (503, "ServiceUnavailable", True, 2),
    ],
)
def test_a_refusal_says_whether_to_try_again(
    server: SnsServer, status: int, code: str, transient: bool, requests: int
) -> None:
    server.errors[TOPIC] = (status, code)
    error = refusal()
    assert f"({code}): of {TOPIC}" in str(error)
    assert ("EXTRACT_ALERTS__SNS_TOPIC" in str(error)) is not transient
    assert ("grant sns:Publish" in str(error)) is (
        code in {"AuthorizationError", "KMSAccessDenied"}
    )
    assert (error.transient, server.requests) == (transient, requests)


def test_without_credentials(server: SnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    error = refusal()
    assert "no AWS credentials were found" in str(error)
    assert (error.transient, server.requests) == (False, 0)


def test_nobody_listens(server: SnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    error = refusal()
    assert "sns could not be reached in eu-central-1" in str(error)
    assert error.transient


def test_a_silent_server_holds_nobody_up(
    server: SnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TIMEOUT_SECONDS == 10
    monkeypatch.setattr("extract_project.alerts.channels.sns.TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    with silence() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        error = refusal()
    assert error.transient
    assert time.monotonic() - started < 5
