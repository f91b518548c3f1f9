"""Requests of a workspace's API, tried again while that is safe; a cancel ends every wait.

The standard library sends them. It follows no redirect, which would carry the token elsewhere.
"""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

import certifi

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.databricks.errors import of_status
from extract_project.warehouses.databricks.tokens import Tokens
from extract_project.warehouses.waiting import Cancellation, begin

_UNAUTHORIZED = 401
_NOT_ACCEPTED = (429, 503)
"""The service has not begun with the request: any can be sent again."""
_AGAIN = (*_NOT_ACCEPTED, 408, 500, 502, 504)
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries."""

    answer_seconds: float = 60
    """How long an answer of the API may take."""
    stall_seconds: float = 60
    """How long the download of a small chunk may take."""
    tries: int = 6
    first_pause: float = 0.2
    """Seconds before the second try; each later pause is three times as long."""
    abort_seconds: float = 15
    """How long cancelling a statement is repeated until it has ended."""
    quiet_seconds: float = 3
    """How long a statement waits for the warehouse before that is logged, and between two logs."""

    def pause(self, tries: int) -> float:
        """Seconds to wait after that many tries."""
        longest: float = self.first_pause * 3.0 ** (tries - 1)
        return random.uniform(0.5, 1.0) * longest


@dataclass(frozen=True)
class Http:
    """The API of one workspace at `address`, such as `https://dbc-a1b2.cloud.databricks.com`."""

    address: str
    tokens: Tokens
    cancellation: Cancellation
    patience: Patience = Patience()

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
        renewed = False
        tries = 0
        while True:
            tries += 1
            token = self.tokens.current(self.cancellation)
            asked = begin("request", lambda token=token: self._sent(method, path, body, token))  # type: ignore[misc]
            try:
                return self.cancellation.result(asked, self.patience.answer_seconds)
            except HTTPError as error:
                if error.code == _UNAUTHORIZED and not renewed and self.tokens.can_renew:
                    renewed = True
                    self.tokens.renew(token)
                    continue
                again = error.code in (_AGAIN if repeatable else _NOT_ACCEPTED)
                fault: WarehouseError = of_status(error.code, _body(error), self._what(doing))
                pause = _retry_after(error)
            except (OSError, HTTPException, ValueError) as error:
                again = repeatable
                pause = 0.0
                fault = self._unreachable(error, doing)
            if not again or tries >= self.patience.tries:
                raise fault from None
            self.cancellation.pause(max(self.patience.pause(tries), pause))

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body).encode()
        request = Request(f"{self.address}{path}", data, headers, method=method)
        with opener().open(request, timeout=self.patience.answer_seconds) as reply:
            text = reply.read()
        answer = json.loads(text) if text.strip() else {}
        if not isinstance(answer, dict):
            raise ValueError("the answer is no JSON object")
        return answer

    def _what(self, doing: str) -> str:
        return f"databricks {self.address.partition('://')[2]}{doing and f', {doing}'}"

    def _unreachable(self, error: Exception, doing: str) -> WarehouseError:
        reason = str(error) or type(error).__name__
        return WarehouseError(
            f"{self._what(doing)}: no proper answer ({reason}): check HOST, or run it again",
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


def _retry_after(error: HTTPError) -> float:
    """Seconds; 0 where the service does not say, or says a date."""
    said = error.headers.get("retry-after") or ""
    return min(float(said), _LONGEST_PAUSE) if said.replace(".", "", 1).isdigit() else 0.0


def _body(error: HTTPError) -> str:
    try:
        return error.read().decode(errors="replace")
    except (OSError, HTTPException):
        return ""
