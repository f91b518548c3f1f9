"""Stands in for Amazon SNS: the Publish of its query protocol.

It knows the topics that a test gives it, and checks what SNS checks: a request signed for SNS in
the topic's region, a subject of one line and less than 100 characters, a message of at most
256 KiB; it answers in SNS's XML, errors included. Not covered: whether the signature is right,
what IAM and topic policies allow, encryption with KMS, and everything behind the topic
(subscriptions, delivery, retries).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from extract_project_tests.support.channels.servers import Reply, Request, serving

_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([a-z0-9-]+)/sns/aws4_request, ")
_FIELDS = ("TopicArn", "Subject", "Message")
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


@dataclass
class SnsServer:
    """A running server; `errors` maps a topic to the status and code that it answers."""

    address: str = ""
    topics: list[str] = field(default_factory=list)
    errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    published: list[tuple[str, str, str]] = field(default_factory=list)
    """Topic, subject and message."""
    requests: int = 0

    def take(self, request: Request) -> Reply:
        self.requests += 1
        fields = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
        status, code, said = self._publish(fields, request.headers.get("Authorization", ""))
        if status == 200:
            message = "<PublishResult><MessageId>m-1</MessageId></PublishResult>"
            metadata = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
            return Reply(status, "text/xml", _tag("PublishResponse", message + metadata))
        kind = "Sender" if status < 500 else "Receiver"
        inner = f"<Type>{kind}</Type><Code>{code}</Code><Message>{escape(said)}</Message>"
        error = f"<Error>{inner}</Error><RequestId>r-1</RequestId>"
        return Reply(status, "text/xml", _tag("ErrorResponse", error))

    def _publish(self, fields: dict[str, str], authorization: str) -> tuple[int, str, str]:
        """The status, the error code and the message of the reply."""
        signed = _SIGNED.match(authorization)
        if signed is None:
            return 403, "MissingAuthenticationToken", "Request is missing Authentication Token"
        if fields.get("Action") != "Publish":
            return 400, "InvalidAction", "the only action here is Publish"
        topic, subject, message = (fields.get(name, "") for name in _FIELDS)
        if topic in self.errors:
            return *self.errors[topic], f"of {topic}"
        if topic not in self.topics:
            return 404, "NotFound", "Topic does not exist"
        if topic.split(":")[3] != signed[1]:
            return 400, "InvalidParameter", "Invalid parameter: TopicArn"
        if not 0 < len(subject) < 100 or not subject.isprintable():
            return 400, "InvalidParameter", "Invalid parameter: Subject"
        if not 0 < len(message.encode()) <= 256 * 1024:
            return 400, "InvalidParameter", "Invalid parameter: Message too long"
        self.published.append((topic, subject, message))
        return 200, "", ""


@contextmanager
def sns_server() -> Iterator[SnsServer]:
    """Serve within the block."""
    server = SnsServer()

    with serving(server.take) as address:
        server.address = address
        yield server


def _tag(name: str, inner: str) -> str:
    return f'<{name} xmlns="{_NAMESPACE}">{inner}</{name}>'
