"""Letters arrive whole, encrypted and signed in; what hinders them is named by its setting."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from extract_project.alerts.channels import EmailChannel
from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.message import Message
from extract_project.errors import AlertError
from extract_project_tests.support.certificates import make_certificate
from extract_project_tests.support.channels.mail_server import (
    PASSWORD,
    USER,
    MailServer,
    mail_server,
)
from extract_project_tests.support.channels.servers import free_port, silence

MESSAGE = Message("3 extracts failed - prod", "was wäre wenn …\n\n" + "long " * 400 + "\n.\nend")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "mail.pem")


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, which this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.fixture
def plain() -> Iterator[MailServer]:
    """Without TLS, and nobody signs in."""
    with mail_server() as server:
        yield server


def channel(port: int, **changes: Any) -> EmailChannel:
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "Extracts <extracts@example.com>",
        "to": ["a@example.com", "B <b@example.com>"],
        "security": "none",
    }
    return EmailChannel(**fields | changes)


def refusal(sender: EmailChannel) -> AlertError:
    with pytest.raises(AlertError) as raised:
        sender.send(MESSAGE)
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
    return raised.value


def test_one_letter_reaches_everybody_whole(plain: MailServer) -> None:
    channel(plain.port).send(MESSAGE)
    [letter] = plain.letters
    assert letter.recipients == ["a@example.com", "b@example.com"]
    assert letter.message["Subject"] == MESSAGE.subject
    assert letter.message["From"] == "Extracts <extracts@example.com>"
    assert letter.message["To"] == "a@example.com, B <b@example.com>"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message["Date"]
    assert letter.message["Message-ID"].endswith("@example.com>")
    assert letter.message.get_content().splitlines() == MESSAGE.text.splitlines()


def test_starttls_and_sign_in(trusted: Path) -> None:
    with mail_server(trusted) as server:
        signed = {"user": USER, "password": SecretStr(PASSWORD), "security": "starttls"}
        channel(server.port, **signed).send(MESSAGE)
        [letter] = server.letters
        assert (letter.encrypted, letter.signed_in) == (True, True)


def test_tls_from_the_first_byte(trusted: Path) -> None:
    with mail_server(trusted, implicit=True) as server:
        channel(server.port, security="tls").send(MESSAGE)
        assert [letter.encrypted for letter in server.letters] == [True]


def test_g11_a_wrong_password_is_named_by_its_setting_only(trusted: Path) -> None:
    with mail_server(trusted) as server:
        wrong = f"not-{PASSWORD}"
        signed = {"user": USER, "password": SecretStr(wrong), "security": "starttls"}
        error = refusal(channel(server.port, **signed))
        assert server.passwords[:1] == [wrong]
    assert "failed for user 'alerts' (535)" in str(error)
    assert "EXTRACT_ALERTS__SMTP_PASSWORD" in str(error)
    assert not error.transient


@pytest.mark.parametrize("implicit", [False, True])
def test_g11_an_untrusted_server_gets_neither_password_nor_letter(
    certificate: Path, implicit: bool
) -> None:
    with mail_server(certificate, implicit=implicit) as server:
        signed = {"user": USER, "password": SecretStr(PASSWORD)}
        security = "tls" if implicit else "starttls"
        error = refusal(channel(server.port, security=security, **signed))
        assert (server.letters, server.passwords) == ([], [])
    assert "presented an untrusted certificate" in str(error)
    assert "EXTRACT_ALERTS__SMTP_HOST" in str(error)
    assert not error.transient


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_g11_a_server_without_tls_gets_no_letter(plain: MailServer, security: str) -> None:
    error = refusal(channel(plain.port, security=security))
    assert "EXTRACT_ALERTS__SMTP_SECURITY" in str(error)
    assert (error.transient, plain.letters) == (False, [])


def test_a_server_that_wants_nobody_to_sign_in_says_so(plain: MailServer) -> None:
    error = refusal(channel(plain.port, user=USER, password=SecretStr(PASSWORD)))
    assert "EXTRACT_ALERTS__SMTP_USER" in str(error)
    assert plain.letters == []


def test_a_server_that_wants_a_sign_in_says_so(trusted: Path) -> None:
    with mail_server(trusted) as server:
        error = refusal(channel(server.port, security="starttls"))
    assert "(530)" in str(error)
    assert "EXTRACT_ALERTS__SMTP_PASSWORD" in str(error)


@pytest.mark.parametrize(
    ("refusals", "setting", "transient"),
    [
        ({"extracts@example.com": "550 who"}, "EXTRACT_ALERTS__EMAIL_FROM", False),
        ({"extracts@example.com": "451 later"}, "EXTRACT_ALERTS__EMAIL_FROM", True),
        (
            {"a@example.com": "550 gone", "b@example.com": "450 full"},
            "EXTRACT_ALERTS__EMAIL_TO",
            False,
        ),
        (
            {"a@example.com": "450 full", "b@example.com": "450 full"},
            "EXTRACT_ALERTS__EMAIL_TO",
            True,
        ),
        ({"data": "552 too large"}, "EXTRACT_ALERTS__SMTP_HOST", False),
        ({"data": "452 no room"}, "EXTRACT_ALERTS__SMTP_HOST", True),
    ],
)
def test_a_refusal_names_the_setting_and_what_was_said(
    plain: MailServer, refusals: dict[str, str], setting: str, transient: bool
) -> None:
    plain.refusals = refusals
    error = refusal(channel(plain.port))
    assert setting in str(error)
    assert all(said[4:] in str(error) for said in refusals.values())
    assert (error.transient, plain.letters) == (transient, [])


def test_one_refused_address_is_told_and_the_others_are_written_to(plain: MailServer) -> None:
    plain.refusals = {"a@example.com": "450 full"}
    error = refusal(channel(plain.port))
    assert "refused a@example.com (450 full); all other recipients were mailed" in str(error)
    assert not error.transient  # the others would get it twice
    assert [letter.recipients for letter in plain.letters] == [["b@example.com"]]


def test_g11_a_server_that_repeats_the_password_is_not_quoted(plain: MailServer) -> None:
    plain.refusals = {"data": f"552 no {PASSWORD}"}
    sender = channel(plain.port, password=SecretStr(PASSWORD))  # without a user: not signed in
    assert "(552): no …;" in str(refusal(sender))


def test_nobody_listens() -> None:
    error = refusal(channel(free_port()))
    assert "could not be reached" in str(error)
    assert "EXTRACT_ALERTS__SMTP_PORT" in str(error)
    assert error.transient


def test_a_silent_server_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TIMEOUT_SECONDS == 10
    monkeypatch.setattr("extract_project.alerts.channels.email.TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    with silence() as port:
        error = refusal(channel(port))
    assert error.transient
    assert time.monotonic() - started < 5
