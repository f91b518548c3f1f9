"""Email, through any SMTP server."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.message import Message
from extract_project.errors import AlertError

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

Security = Literal["starttls", "tls", "none"]
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_PERMANENT = 500


def _addressed(value: str) -> str:
    if not value.isprintable() or not _ADDRESS.fullmatch(parseaddr(value)[1]):
        raise ValueError(f"{value!r} is not an email address: expected name@example.com")
    return value


def _all_addressed(values: list[str]) -> list[str]:
    return [_addressed(value) for value in values]


Address = Annotated[str, AfterValidator(_addressed)]
Addresses = Annotated[list[str], AfterValidator(_all_addressed)]


class EmailChannel(BaseModel):
    """Mail to a list of addresses, through one SMTP server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "email"
    host: str
    port: int = 587
    sender: Address
    to: Addresses = Field(min_length=1)
    user: str | None = None
    password: SecretStr | None = None
    security: Security = "starttls"

    def send(self, message: Message) -> None:
        """Hand the mail to the server; raises AlertError, also if only one address is refused."""
        import smtplib

        letter = self._letter(message)
        try:
            with self._connected() as server:
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password.get_secret_value())
                refused = server.send_message(letter)
        except (smtplib.SMTPException, OSError) as error:
            raise self._explained(error) from None
        if refused:
            raise AlertError(
                f"{self.host} refused {_replies(refused)}; all other recipients were mailed: "
                f"correct EXTRACT_ALERTS__EMAIL_TO",
                partly=True,
            )

    def _letter(self, message: Message) -> EmailMessage:
        from email.message import EmailMessage
        from email.utils import formatdate, make_msgid

        letter = EmailMessage()
        letter["Subject"] = message.subject
        letter["From"] = self.sender
        letter["To"] = ", ".join(self.to)
        letter["Date"] = formatdate()
        letter["Message-ID"] = make_msgid(domain=parseaddr(self.sender)[1].rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"  # keeps out-of-office replies away
        letter.set_content(message.text)
        return letter

    def _connected(self) -> smtplib.SMTP:
        """A connection, encrypted as configured; the server's certificate is verified."""
        import smtplib
        import ssl

        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        if self.security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    def _explained(self, error: Exception) -> AlertError:
        import smtplib
        import ssl

        where = f"{self.host}:{self.port}"
        transient = 0 < getattr(error, "smtp_code", 0) < _PERMANENT
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return AlertError(
                f"login to {where} failed for user {self.user!r} ({error.smtp_code}): correct "
                f"EXTRACT_ALERTS__SMTP_USER or EXTRACT_ALERTS__SMTP_PASSWORD",
                transient=transient,
            )
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return AlertError(
                f"{where} does not support this: {error} correct EXTRACT_ALERTS__SMTP_SECURITY, "
                f"or unset EXTRACT_ALERTS__SMTP_USER if the server takes mail without sign-in"
            )
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [code for code, _ in error.recipients.values()]
            return AlertError(
                f"{where} refused {_replies(error.recipients)}: correct EXTRACT_ALERTS__EMAIL_TO",
                transient=max(codes) < _PERMANENT,
            )
        if isinstance(error, smtplib.SMTPSenderRefused):
            return AlertError(
                f"{where} refused the sender {self.sender!r} ({error.smtp_code}): "
                f"{self._said(error)}; correct EXTRACT_ALERTS__EMAIL_FROM, or set "
                f"EXTRACT_ALERTS__SMTP_USER and EXTRACT_ALERTS__SMTP_PASSWORD",
                transient=transient,
            )
        if isinstance(error, smtplib.SMTPResponseException):
            return AlertError(
                f"{where} did not accept the mail ({error.smtp_code}): {self._said(error)}; "
                f"correct EXTRACT_ALERTS__SMTP_HOST, or what it allows this sender to send",
                transient=transient,
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return AlertError(
                f"{where} presented an untrusted certificate: {error.verify_message}; "
                f"correct EXTRACT_ALERTS__SMTP_HOST, or name the issuer's certificate in "
                f"SSL_CERT_FILE"
            )
        if isinstance(error, ssl.SSLError):
            return AlertError(
                f"{where} did not speak TLS ({error.reason}): "
                f"correct EXTRACT_ALERTS__SMTP_SECURITY or EXTRACT_ALERTS__SMTP_PORT"
            )
        return AlertError(
            f"{where} could not be reached, or closed the connection: {error}; correct "
            f"EXTRACT_ALERTS__SMTP_HOST or EXTRACT_ALERTS__SMTP_PORT, or let this machine reach it",
            transient=True,
        )

    def _said(self, error: smtplib.SMTPResponseException) -> str:
        said = _text(error.smtp_error)
        secret = self.password.get_secret_value() if self.password else ""
        return said.replace(secret, "…") if secret else said


def _replies(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{who} ({code} {_text(said)})" for who, (code, said) in refused.items())


def _text(said: Any) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
