"""The channels through which a message reaches people.

A new channel is one new module with a pydantic model that satisfies `protocol.Channel`, its fields
in `AlertSettings`, and one line in `AlertSettings.channels`.
"""

from __future__ import annotations

from extract_project.alerts.channels.email import EmailChannel
from extract_project.alerts.channels.protocol import Channel
from extract_project.alerts.channels.slack import SlackChannel
from extract_project.alerts.channels.sns import SnsChannel

__all__ = ["Channel", "EmailChannel", "SlackChannel", "SnsChannel"]
