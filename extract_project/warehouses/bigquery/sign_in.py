"""Tokens from Google, by `google-auth`: a service account's key, workload identity federation, or
what the library finds by itself (https://google.aip.dev/auth/4110).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import google.auth
from google.auth import transport
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.rest import opener
from extract_project.warehouses.tokens import Fetch

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_AWS = "urn:ietf:params:aws:token-type:aws4_request"
_ANSWER_SECONDS = 30
_SHOWN = 300


def fetching(given: Mapping[str, Any] | None) -> Fetch:
    """Tokens for the given credentials (Google's JSON), or for those that Google's library finds.

    Raises WarehouseError if they cannot be used.
    """
    try:
        credentials = _found() if given is None else _given(given)
    except (GoogleAuthError, ValueError, LookupError) as error:
        raise _refused(error) from None
    request = _Transport()

    def fetch() -> tuple[str, float]:
        try:
            credentials.refresh(request)
        except (GoogleAuthError, ValueError, LookupError) as error:
            raise _refused(error) from None
        left = credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        return str(credentials.token), left.total_seconds()

    return fetch


def read_credentials(path: Path) -> Mapping[str, Any]:
    """The credentials in a file; raises WarehouseError."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise WarehouseError(
            f"bigquery: CREDENTIALS_PATH {path} cannot be read: {reason}", cause=Cause.SETTINGS
        ) from None
    return found if isinstance(found, dict) else {}


def _found() -> Any:
    credentials, _ = google.auth.default(scopes=_SCOPES)
    return credentials


def _given(given: Mapping[str, Any]) -> Any:
    kind = given.get("type")
    if kind == "service_account":
        from google.oauth2 import service_account

        return service_account.Credentials.from_service_account_info(dict(given), scopes=_SCOPES)
    if kind != "external_account":
        raise DefaultCredentialsError(
            f"the credentials are of type {kind!r}: expected service_account or external_account"
        )
    if given.get("subject_token_type") != _AWS:
        from google.auth import identity_pool

        return identity_pool.Credentials.from_info(dict(given), scopes=_SCOPES)
    from google.auth import aws

    from extract_project.warehouses.bigquery.aws import TaskCredentials

    without_source = {key: value for key, value in given.items() if key != "credential_source"}
    return aws.Credentials.from_info(
        without_source, scopes=_SCOPES, aws_security_credentials_supplier=TaskCredentials()
    )


def _refused(error: Exception) -> WarehouseError:
    """The error of a refused sign-in, without the whole answer that the library appends."""
    reason = " ".join(str(error.args[0] if error.args else error).split())[:_SHOWN]
    is_unreachable = isinstance(error, TransportError) or bool(getattr(error, "retryable", False))
    hint = (
        "run it again"
        if is_unreachable
        else "check CREDENTIALS or CREDENTIALS_PATH: see docs/bigquery.md"
    )
    return WarehouseError(
        f"bigquery: sign-in failed: {reason}: {hint}",
        cause=Cause.NETWORK if is_unreachable else Cause.SIGN_IN,
        transient=is_unreachable,
    )


class _Answer(transport.Response):
    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._status, self._headers, self._data = status, headers, data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def data(self) -> bytes:
        return self._data


class _Transport(transport.Request):
    """Sends the requests of Google's library through our own HTTP client."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Answer:
        data = body.encode() if isinstance(body, str) else body
        request = Request(url, data, dict(headers or {}), method=method)
        try:
            with opener().open(request, timeout=timeout or _ANSWER_SECONDS) as reply:
                return _Answer(reply.status, dict(reply.headers), reply.read())
        except HTTPError as error:
            return _Answer(error.code, dict(error.headers), error.read())
        except (OSError, HTTPException) as error:
            raise TransportError(str(error) or type(error).__name__) from error
