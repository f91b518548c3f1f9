"""A real SMTP server that keeps the messages it accepts, and refuses some addresses."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from extract_project_tests.support.channels.servers import free_port

USER, PASSWORD = "alerts", "hunter2"


@dataclass(frozen=True)
class Letter:
    """The message of one DATA command, and the state of its session."""

    message: EmailMessage
    recipients: list[str]
    encrypted: bool
    signed_in: bool


@dataclass
class MailServer:
    """A running server. `refusals` maps a sender, an address or `data` to the answer it gets."""

    port: int
    refusals: dict[str, str] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.refusals.get(address, "250 OK")

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if "data" in self.refusals:
            return self.refusals["data"]
        raw = cast("bytes", envelope.content)
        transport = server.transport
        encrypted = transport is not None and transport.get_extra_info("sslcontext")
        self.letters.append(
            Letter(
                email.message_from_bytes(raw, policy=email.policy.default),
                list(envelope.rcpt_tos),
                encrypted is not None and encrypted is not False,
                session.authenticated is True,
            )
        )
        return "250 OK"

    def sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any
    ) -> Any:
        assert isinstance(data, LoginPassword)
        self.passwords.append(data.password.decode())
        right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(certificate: Path | None = None, implicit: bool = False) -> Iterator[MailServer]:
    """Serve until left. With a certificate STARTTLS and signing in are required; `implicit`: TLS
    from the first byte, and nobody signs in.
    """
    server = MailServer(free_port())
    options: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if implicit:
            options = {"ssl_context": context}
        else:
            options = {
                "tls_context": context,
                "require_starttls": True,
                "auth_required": True,
                "authenticator": server.sign_in,
            }
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
