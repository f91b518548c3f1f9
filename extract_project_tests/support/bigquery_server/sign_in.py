"""Tokens: for a JWT that a service account signs, and for a request that AWS would understand."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL = "extracts@acme.iam.gserviceaccount.com"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/aws/providers/acme"
SUBJECT = "a token of the place where the process runs"
_SECONDS = 3600
_GRANT_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANT_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_AWS = "urn:ietf:params:aws:token-type:aws4_request"
_AUDIENCE = "https://oauth2.googleapis.com/token"
_SCOPE = "https://www.googleapis.com/auth/bigquery"


class Denied(Exception):
    """No token is given out."""


class SignIn:
    """Who may sign in, and with which tokens."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.issued = 0
        self.aws_keys: set[str] = set()
        """The access keys of AWS that the pool trusts."""

    def expire(self) -> None:
        """Refuse all tokens that were given out so far."""
        self.tokens.clear()

    def for_jwt(self, form: Mapping[str, str]) -> dict[str, Any]:
        """As AIP 4111 has it."""
        if form.get("grant_type") != _GRANT_JWT:
            raise Denied("unsupported_grant_type")
        head, claims, signature = form["assertion"].split(".")
        try:
            _key().public_key().verify(
                _bytes(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except Exception as error:
            raise Denied("invalid_grant") from error
        said = json.loads(_bytes(claims))
        wanted = {"iss": EMAIL, "aud": _AUDIENCE, "scope": _SCOPE}
        if wanted != {name: said[name] for name in wanted} or said["exp"] < time.time():
            raise Denied("invalid_grant")
        return {"access_token": self._token(), "expires_in": _SECONDS, "token_type": "Bearer"}

    def for_subject(self, form: Mapping[str, str]) -> dict[str, Any]:
        """As AIP 4117 has it: for a token of another service, or of AWS."""
        if form["subject_token_type"] == _AWS:
            return self._for_aws(form)
        expected = {
            "grant_type": _GRANT_EXCHANGE,
            "audience": POOL,
            "scope": _SCOPE,
            "subject_token_type": _JWT,
            "subject_token": SUBJECT,
        }
        if not expected.items() <= dict(form).items():
            raise Denied("invalid_grant")
        return self._exchanged()

    def _for_aws(self, form: Mapping[str, str]) -> dict[str, Any]:
        """A signed request that says who the caller is."""
        signed = json.loads(unquote(form["subject_token"]))
        headers = {each["key"].lower(): each["value"] for each in signed["headers"]}
        key = headers["authorization"].partition("Credential=")[2].partition("/")[0]
        expected = {
            "grant_type": _GRANT_EXCHANGE,
            "audience": POOL,
            "scope": _SCOPE,
            "subject_token_type": _AWS,
        }
        right = expected.items() <= dict(form).items() and "GetCallerIdentity" in signed["url"]
        if not right or headers["x-goog-cloud-target-resource"] != POOL or key not in self.aws_keys:
            raise Denied("invalid_grant")
        return self._exchanged()

    def _exchanged(self) -> dict[str, Any]:
        return {
            "access_token": self._token(),
            "expires_in": _SECONDS,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
        }

    def _token(self) -> str:
        self.issued += 1
        token = f"google-{self.issued}"
        self.tokens.add(token)
        return token


def service_account(address: str) -> str:
    """The key of a service account, as Google's console gives it out."""
    key = _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "1",
            "private_key": key.decode(),
            "client_email": EMAIL,
            "token_uri": f"{address}/token",
        }
    )


def federation(address: str) -> str:
    """The configuration of a pool for AWS, as `gcloud` writes it."""
    source = {
        "environment_id": "aws1",
        "region_url": "http://169.254.169.254/latest/meta-data/placement/availability-zone",
        "url": "http://169.254.169.254/latest/meta-data/iam/security-credentials",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com"
        "?Action=GetCallerIdentity&Version=2011-06-15",
    }
    return _external(address, _AWS, source)


def workload(address: str) -> str:
    """The configuration of a pool whose tokens come from an address, as in a cluster."""
    return _external(address, _JWT, {"url": f"{address}/subject"})


def _external(address: str, kind: str, source: Mapping[str, Any]) -> str:
    return json.dumps(
        {
            "type": "external_account",
            "audience": POOL,
            "subject_token_type": kind,
            "token_url": f"{address}/sts/v1/token",
            "credential_source": source,
        }
    )


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
