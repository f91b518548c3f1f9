"""Assume a role, for example of another account, and renew its credentials before they expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.errors import BucketError
from extract_project.store.s3.errors import DENIED, error_code, refused, unreachable
from extract_project.store.s3.sessions import core_session

if TYPE_CHECKING:
    from boto3.session import Session

_SESSION_NAME = "extract"
_CONNECT_SECONDS = 10
_READ_SECONDS = 30


@dataclass(frozen=True)
class Role:
    """A role that this process assumes with its own credentials."""

    arn: str
    external_id: str | None = None
    """The external id that the role's trust policy may require (AWS's confused deputy problem)."""


def session_as(role: Role) -> Session:
    """A session whose credentials are those of the role.

    The role is assumed with the first request. The SDK asks again a few minutes before the
    credentials expire, so an upload may take longer than they last. If the role is refused, the
    request that needed it fails.
    """
    import boto3
    from botocore.credentials import (
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    own = boto3.Session()

    def assume() -> dict[str, str]:
        return _credentials(own, role)

    class AssumedRole(CredentialProvider):
        METHOD = CANONICAL_NAME = "assume-role"

        def load(self) -> DeferredRefreshableCredentials:
            return DeferredRefreshableCredentials(assume, self.METHOD)

    assumed = core_session()
    assumed.register_component("credential_provider", CredentialResolver([AssumedRole()]))
    return boto3.Session(botocore_session=assumed)


def _credentials(own: Session, role: Role) -> dict[str, str]:
    """Credentials of the role from STS.

    Raises BucketError if the role may not be assumed, and StoreError for any other answer or none.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    timeouts = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    external_id = {"ExternalId": role.external_id} if role.external_id else {}
    try:
        reply = own.client("sts", config=timeouts).assume_role(
            RoleArn=role.arn, RoleSessionName=_SESSION_NAME, **external_id
        )
    except ClientError as error:
        if error_code(error) not in DENIED:
            raise refused(error, f"{role.arn} cannot be assumed: STS") from error
        raise BucketError(
            f"{role.arn} cannot be assumed (AccessDenied): grant sts:AssumeRole on it to the role "
            f"of the run, and have its trust policy name that role and the external id, if any"
        ) from error
    except BotoCoreError as error:
        raise unreachable(error, f"{role.arn} cannot be assumed: ") from error
    given = reply["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": given["Expiration"].isoformat(),
    }
