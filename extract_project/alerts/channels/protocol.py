"""What a channel is: a name, and a way to send a message."""

from __future__ import annotations

from typing import Protocol

from extract_project.alerts.message import Message

TIMEOUT_SECONDS = 10
"""Of each wait for a server, so that whoever sends an alert is not held up by it."""


class Channel(Protocol):
    """One way in which messages are sent."""

    @property
    def name(self) -> str:
        """`sns`, `slack` or `email`."""
        ...

    def send(self, message: Message) -> None:
        """Send it, or raise AlertError that names the setting to correct and holds no secret."""
        ...
