"""Requests of a service's API in JSON, tried again while that is safe; a cancel ends every wait.

The standard library sends them. It follows no redirect, which would carry the token elsewhere.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

import certifi

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.tokens import Tokens
from extract_project.warehouses.waiting import Cancellation, begin

_UNAUTHORIZED = 401
_NOT_ACCEPTED = (403, 429, 503)
"""If the fault is transient, the service has not begun with the request: any can be sent again."""
_AGAIN = (408, 500, 502, 504)
_LONGEST_PAUSE, _LONGEST_RETRY_AFTER = 15.0, 60.0


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries."""

    answer_seconds: float = 60
    """How long an answer of the API may take."""
    stall_seconds: float = 60
    """How long the download of a small chunk may take."""
    busy_seconds: float = 900
    """How long the service may say that it is busy, or that what it needs is not there yet."""
    tries: int = 6
    first_pause: float = 0.2
    """Seconds before the second try; each later pause is three times as long."""
    start_seconds: float = 15
    """How long a cancelled run waits to hear whether the query that it is starting has started."""
    abort_seconds: float = 15
    """How long cancelling a query is repeated until it has ended."""
    quiet_seconds: float = 3
    """How long a wait for the warehouse lasts before it is logged, and between two logs."""

    def pause(self, tries: int) -> float:
        """Seconds to wait after that many tries."""
        longest: float = min(self.first_pause * 3.0 ** (tries - 1), _LONGEST_PAUSE)
        return random.uniform(0.5, 1.0) * longest


class _Refusal(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, retry_after: str, body: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        is_number = retry_after.replace(".", "", 1).isdigit()  # and not a date
        self.seconds = min(float(retry_after), _LONGEST_RETRY_AFTER) if is_number else 0.0


class RequestRefused(WarehouseError):
    """The API refused a request; `status` is that of HTTP, `code` the API's own."""

    status: int = 0
    code: str = ""


@dataclass(frozen=True)
class Service:
    """A service with an API, as its errors name it."""

    name: str
    address: str
    """As in `https://dbc-a1b2.cloud.databricks.com`."""
    setting: str
    """The field of the settings that has its address."""
    refusal: Callable[[int, str, str], RequestRefused]
    """The error for an answer: its HTTP status, its body, and which request it was."""

    def __str__(self) -> str:
        return f"{self.name} {self.address.partition('://')[2]}"


@dataclass(frozen=True)
class Http:
    """The requests to one service."""

    service: Service
    tokens: Tokens
    cancellation: Cancellation
    patience: Patience = Patience()

    def detached(self) -> Http:
        """The same, for requests that a cancel must not end: those that carry it out."""
        return replace(self, cancellation=Cancellation())

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        repeatable: bool = True,
        doing: str = "",
    ) -> dict[str, Any]:
        """The answer of the API.

        A request that is not `repeatable` is sent again only if the service has said that it did
        not begin with it. Raises WarehouseError, and QueryCancelled when the run is cancelled.
        """
        begun = said = time.monotonic()
        renewed = False
        tries = 0
        while True:
            tries += 1
            token = self.tokens.current(self.cancellation)
            asked = begin("request", partial(self._sent, method, path, body, token))
            try:
                return self.cancellation.result(asked, self.patience.answer_seconds)
            except _Refusal as refusal:
                if refusal.status == _UNAUTHORIZED and not renewed and self.tokens.can_renew:
                    renewed = True
                    self.tokens.renew(token)
                    continue
                fault: WarehouseError = self._refused(refusal, doing)
                pause = refusal.seconds
                if fault.transient and refusal.status in _NOT_ACCEPTED:
                    now = time.monotonic()
                    again = now - begun < self.patience.busy_seconds
                    if now - said >= self.patience.quiet_seconds:
                        said = now
                        self._log_wait(fault, now - begun)
                else:
                    again = repeatable and refusal.status in _AGAIN and self._has_tries(tries)
            except (OSError, HTTPException, ValueError) as error:
                again = repeatable and self._has_tries(tries)
                pause = 0.0
                fault = self._unreachable(error, doing)
            if not again:
                raise fault from None
            self.cancellation.pause(pause or self.patience.pause(tries))

    def _has_tries(self, tries: int) -> bool:
        return tries < self.patience.tries

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body).encode()
        request = Request(f"{self.service.address}{path}", data, headers, method=method)
        try:
            with opener().open(request, timeout=self.patience.answer_seconds) as reply:
                text = reply.read()
        except HTTPError as error:
            retry_after = error.headers.get("retry-after") or ""
            raise _Refusal(error.code, retry_after, body_of(error)) from None
        answer = json.loads(text) if text.strip() else {}
        if not isinstance(answer, dict):
            raise ValueError("the answer is no JSON object")
        return answer

    def _refused(self, refusal: _Refusal, doing: str) -> RequestRefused:
        return self.service.refusal(refusal.status, refusal.body, self._what(doing))

    def _what(self, doing: str) -> str:
        return f"{self.service}{doing and f', {doing}'}"

    def _log_wait(self, fault: WarehouseError, seconds: float) -> None:
        logging.getLogger(__name__).warning("waiting for %.0f s so far: %s", seconds, fault)

    def _unreachable(self, error: Exception, doing: str) -> WarehouseError:
        reason = str(error) or type(error).__name__
        return WarehouseError(
            f"{self._what(doing)}: no proper answer ({reason}): check {self.service.setting}, or "
            f"run it again",
            cause=Cause.NETWORK,
            transient=True,
        )


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


@cache
def opener() -> OpenerDirector:
    """What sends requests; it trusts the authorities of the machine and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return build_opener(HTTPSHandler(context=context), _NoRedirect())


def body_of(error: HTTPError) -> str:
    """What a service says of a refusal; empty if that does not arrive."""
    try:
        return error.read().decode(errors="replace")
    except (OSError, HTTPException):
        return ""
