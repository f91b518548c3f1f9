"""OAuth machine to machine: tokens for a service principal.

`POST /oidc/v1/token` with the client's id and secret gives a token for an hour
(https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m).
"""

from __future__ import annotations

import base64
import json
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import OpenerDirector, Request

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.tokens import Fetch

_ANSWER_SECONDS = 30
_TRIES = 4
_SERVER_ERROR = 500
_TOO_MANY = 429


def machine_to_machine(opener: OpenerDirector, address: str, client_id: str, secret: str) -> Fetch:
    """Tokens for a service principal, from the workspace's own token endpoint."""
    credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    form = urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
    request = Request(
        f"{address}/oidc/v1/token",
        form,
        {
            "authorization": f"Basic {credentials}",
            "content-type": "application/x-www-form-urlencoded",
        },
    )

    def fetch() -> tuple[str, float]:
        for tries in range(1, _TRIES + 1):
            try:
                with opener.open(request, timeout=_ANSWER_SECONDS) as reply:
                    answer = json.load(reply)
                return str(answer["access_token"]), float(answer.get("expires_in", 0))
            except HTTPError as error:
                if error.code < _SERVER_ERROR and error.code != _TOO_MANY:
                    raise _refused(address, client_id, error.code) from None
                reason = f"HTTP {error.code}"
            except (OSError, HTTPException, ValueError, KeyError) as error:
                reason = str(error) or type(error).__name__
            time.sleep(0.2 * 3 ** (tries - 1) if tries < _TRIES else 0)
        raise WarehouseError(
            f"databricks {address.partition('://')[2]} gave no token ({reason}): check HOST, or "
            f"run it again",
            cause=Cause.NETWORK,
            transient=True,
        )

    return fetch


def _refused(address: str, client_id: str, status: int) -> WarehouseError:
    return WarehouseError(
        f"databricks {address.partition('://')[2]}: sign-in failed for service principal "
        f"{client_id!r} (HTTP {status}): check CLIENT_ID and CLIENT_SECRET, and that the principal "
        f"is in this workspace",
        cause=Cause.SIGN_IN,
    )
