"""The token of each request: one of the settings, or one that is got whenever it is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from extract_project.warehouses.waiting import Cancellation, begin

_EARLY_SECONDS = 60
"""How long before its end a token is replaced."""
Fetch = Callable[[], tuple[str, float]]
"""A new token, and for how many seconds it is valid."""


class Tokens:
    """The token to send; safe from any thread."""

    def __init__(self, token: str | None = None, fetch: Fetch | None = None) -> None:
        """A token that stays as it is, or a way to get one."""
        self._token = token
        self._fetch = fetch
        self._until = float("inf") if token else 0.0
        self._lock = threading.Lock()

    @property
    def can_renew(self) -> bool:
        return self._fetch is not None

    def current(self, cancellation: Cancellation) -> str:
        """A valid token; raises WarehouseError, and QueryCancelled when the run is cancelled."""
        with self._lock:
            token, until = self._token, self._until
        if token is not None and time.monotonic() < until:
            return token
        assert self._fetch is not None
        token, seconds = cancellation.result(begin("token", self._fetch))
        with self._lock:
            self._token = token
            self._until = time.monotonic() + max(0.0, seconds - _EARLY_SECONDS)
        return token

    def renew(self, refused: str) -> None:
        """Forget a token that the service no longer accepts."""
        with self._lock:
            if self._token == refused:
                self._token = None
