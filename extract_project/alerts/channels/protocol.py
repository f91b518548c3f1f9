"""The protocol of a channel: a name, and a way to send a message."""

from __future__ import annotations

from typing import Protocol

from extract_project.alerts.message import Message

TIMEOUT_SECONDS = 10
"""Limit of each wait for a server, so that a slow channel does not hold up its caller."""


class Channel(Protocol):
    """One way to send messages."""

    @property
    def name(self) -> str:
        """`sns`, `slack` or `email`."""
        ...

    def send(self, message: Message) -> None:
        """Send it, or raise AlertError, which names the setting to correct and contains no
        secret."""
        ...
