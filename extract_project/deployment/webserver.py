"""Questions to Dagster's webserver: GraphQL over HTTP.

It uses the standard library alone: the usual clients (gql with requests, dagster_graphql) take 0.4
to 1.5 CPU seconds to import, as long as a command takes to answer.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

import certifi

from extract_project.errors import DeploymentError

_SHOWN = 300


class Webserver:
    """A webserver at a URL, which may hold a user and a password."""

    def __init__(self, url: str, patience: int) -> None:
        """`patience`: how many seconds an answer may take."""
        self._patience = patience
        parts = urlsplit(url.rstrip("/"))
        user, at, host = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=host).geturl()
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if at:
            token = base64.b64encode(unquote(user).encode()).decode()
            self._headers["authorization"] = f"Basic {token}"

    def ask(
        self, query: str, variables: Mapping[str, Any], patience: int | None = None
    ) -> dict[str, Any]:
        """The data of the answer; raises DeploymentError if there is none.

        `patience`: how many seconds this answer may take, if it is slower than others.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", body, self._headers)
        try:
            with self._opener.open(request, timeout=patience or self._patience) as reply:
                answer = json.load(reply)
        except HTTPError as error:
            raise self._no_answer(_told(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._no_answer(str(error) or type(error).__name__) from None
        if not isinstance(answer, dict) or answer.get("errors") or answer.get("data") is None:
            raise self._no_answer(json.dumps(answer)[:_SHOWN])
        return dict(answer["data"])

    @cached_property
    def _opener(self) -> OpenerDirector:
        """Make an opener that trusts the authorities of this machine, and those that browsers
        trust."""
        if not self.url.startswith("https:"):
            return build_opener()
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return build_opener(HTTPSHandler(context=context))

    def _no_answer(self, reason: str) -> DeploymentError:
        line = reason.strip().splitlines()[-1]
        return DeploymentError(
            f"no Dagster answers at {self.url}: start one with 'extract up', "
            f"or set EXTRACT_DAGSTER_URL ({line})"
        )


def _told(error: HTTPError) -> str:
    """The status of a refusal, and its text if that is short, as that of a GraphQL error is."""
    text = error.read(_SHOWN + 1).decode(errors="replace").strip()
    said = f": {' '.join(text.split())}" if text and len(text) <= _SHOWN else ""
    return f"HTTP {error.code} {error.reason}{said}"
