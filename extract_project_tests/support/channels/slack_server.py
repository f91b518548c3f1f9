"""Stands in for Slack's incoming webhooks.

It accepts a POST of JSON with a `text` at one path, and answers `ok`, or what the test sets. Not
covered: how Slack shows the text (mrkdwn, links, its 40,000 characters are only counted by the
test), its rate limit of about one message per second, and HTTPS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from extract_project.alerts.channels import SlackChannel
from extract_project_tests.support.channels.servers import Reply, Request, serving

PATH = "/services/T0001/B0001/hunter2hunter2"


@dataclass
class SlackServer:
    """A running server, the messages it received, and its reply."""

    address: str = ""
    texts: list[str] = field(default_factory=list)
    answer: tuple[int, str] = (200, "ok")
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    @property
    def channel(self) -> SlackChannel:
        return SlackChannel(webhook=SecretStr(self.address + PATH))

    def take(self, request: Request) -> Reply:
        self.requests += 1
        if (request.method, request.path) != ("POST", PATH):
            return Reply(404, "text/plain", "no_service")
        if not request.headers["Content-Type"].startswith("application/json"):
            return Reply(400, "text/plain", "invalid_payload")
        status, said = self.answer
        if status == 200:
            self.texts.append(json.loads(request.body)["text"])
        return Reply(status, "text/html", said, self.headers)


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    """Serve within the block."""
    server = SlackServer()

    with serving(server.take) as address:
        server.address = address
        yield server
