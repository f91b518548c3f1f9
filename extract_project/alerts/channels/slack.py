"""Slack, through an incoming webhook. The webhook's address is the secret.

The standard library posts, not `requests`: urllib3 writes the path of each request, and with it
the secret, into its debug log.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.message import INDENT, Message
from extract_project.errors import AlertError

if TYPE_CHECKING:
    from urllib.error import HTTPError
    from urllib.request import OpenerDirector

TEXT_CHARACTERS = 40_000
"""Slack cuts longer texts, and so loses the end, which says what to do next."""

_REPORT = re.compile(rf"^{INDENT}.*(?:\n+{INDENT}.*)*", re.MULTILINE)
_FENCE = "```"
_CUT = "\n… the rest does not fit into one message"
_SAID_CHARACTERS = 100
_SAID = re.compile(r"[a-z_]+")
_ENDING_CHARACTERS = 1_000
_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}


def _webhook(value: SecretStr) -> SecretStr:
    """Check the address. No error text quotes it, because it is the secret."""
    text = value.get_secret_value()
    expected = "expected https://hooks.slack.com/services/…"
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"the address has characters that are not allowed in one: {expected}")
    try:
        address = urlsplit(text)
        host, _ = address.hostname, address.port
    except ValueError:
        raise ValueError(f"the address cannot be read: {expected}") from None
    local = host in {"localhost", "127.0.0.1"}
    if not host or address.scheme not in ({"https", "http"} if local else {"https"}):
        raise ValueError(f"the address does not begin with https:// and a host: {expected}")
    return value


Webhook = Annotated[SecretStr, AfterValidator(_webhook)]


class SlackChannel(BaseModel):
    """The Slack channel that the webhook belongs to; Mattermost and others accept the same
    posts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "slack"
    webhook: Webhook

    def send(self, message: Message) -> None:
        """Post the message; raises AlertError."""
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import Request

        request = Request(
            self.webhook.get_secret_value(),
            data=json.dumps({"text": mrkdwn(message)}).encode(),
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        try:
            with _opener().open(request, timeout=TIMEOUT_SECONDS) as reply:
                reply.read()
        except HTTPError as error:
            raise self._refused(error) from None
        except URLError as error:
            raise self._unreachable(error.reason) from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from None

    @property
    def _host(self) -> str:
        return urlsplit(self.webhook.get_secret_value()).hostname or ""

    def _refused(self, error: HTTPError) -> AlertError:
        try:
            said = error.read(_SAID_CHARACTERS).decode(errors="replace").strip()
        except OSError:
            said = ""
        word = f" {said}" if _SAID.fullmatch(said) and self._may_be_told(said) else ""
        answer = f"{self._host} answered {error.code}{word}"
        if error.code in _LATER or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return AlertError(
                f"{answer} to the webhook of EXTRACT_ALERTS__SLACK_WEBHOOK: try again later",
                transient=True,
            )
        return AlertError(
            f"{answer}: expected 200; the webhook may have been revoked or its channel archived: "
            f"make a new one and put its address into EXTRACT_ALERTS__SLACK_WEBHOOK"
        )

    def _unreachable(self, reason: object) -> AlertError:
        import ssl

        told = str(reason) if self._may_be_told(str(reason)) else type(reason).__name__
        return AlertError(
            f"{self._host} could not be reached: {told}; correct EXTRACT_ALERTS__SLACK_WEBHOOK, "
            f"or let this machine reach that host",
            transient=not isinstance(reason, ssl.SSLCertVerificationError),
        )

    def _may_be_told(self, text: str) -> bool:
        """Whether a foreign text is safe to show: it quotes no part of the address after the
        host."""
        address = urlsplit(self.webhook.get_secret_value())
        parts = re.findall(r"[^/?&=#]+", f"{address.path}?{address.query}#{address.fragment}")
        return not any(part in text for part in parts)


def mrkdwn(message: Message) -> str:
    """The message in Slack's markup: the subject bold, each report a code block; cut to fit.

    The last paragraph, the next step, is always kept.
    """
    body, _, ending = message.text.rpartition("\n\n")
    if len(ending) > _ENDING_CHARACTERS:
        body, ending = message.text, ""
    subject, ending = f"*{_escaped(message.subject)}*", _rendered(ending)
    room = TEXT_CHARACTERS - len(f"{subject}\n\n\n\n{ending}")
    rendered = _rendered(body)
    while len(rendered) > room:
        body = body[: len(body) * 9 // 10]
        rendered = _rendered(body) + _CUT
    return "\n\n".join(part for part in (subject, rendered, ending) if part)


def _rendered(text: str) -> str:
    fenced = _escaped(text).replace(_FENCE, "'''")
    return _REPORT.sub(lambda report: f"{_FENCE}\n{_dedented(report.group())}\n{_FENCE}", fenced)


def _dedented(report: str) -> str:
    return "\n".join(line.removeprefix(INDENT) for line in report.splitlines())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _opener() -> OpenerDirector:
    """An opener that follows no redirect, which would send the message to an unconfigured
    address."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    return build_opener(Stay)
