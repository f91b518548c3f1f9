"""Convert the errors of S3 and its client into this project's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from extract_project.errors import Cause, NoSuchObject, StoreRefused, StoreUnreachable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

DENIED = ("AccessDenied", "403")
ABSENT = ("404", "NoSuchKey", "NoSuchVersion", "405", "InvalidArgument")
"""405 is a delete marker; InvalidArgument means a malformed VersionId."""
NOT_APPLIED = {
    *("PreconditionFailed", "ConditionalRequestConflict"),
    "NoSuchKey",  # Amazon's answer where the condition is an ETag, and the key has been deleted
    *("412", "409", "404"),  # the same, if the reply ended before its body
    "NoSuchUpload",
}
"""Codes of a conditional write that was not carried out."""

_SIGN_IN = "sign in (aws sso login), or set AWS_PROFILE, or give the process a role"
_PERMISSION = {*DENIED, "KMS.AccessDeniedException", "AllAccessDisabled"}
_TRANSIENT = {
    *("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500"),
    *("Throttling", "ThrottlingException", "RequestTimeTooSkewed", "ExpiredToken"),
}


def error_code(error: Exception) -> str:
    """S3's own name for what went wrong (`NoSuchKey`, `PreconditionFailed`, `404`), or ''."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the client's errors as StoreError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise refused(error) from error
    except BotoCoreError as error:
        raise unreachable(error) from error


def refused(error: ClientError, service: str = "S3") -> StoreRefused:
    """The StoreRefused for an error answer of S3, or of another service."""
    code = error_code(error)
    message = error.response.get("Error", {}).get("Message", "")
    kind = NoSuchObject if code in ("NoSuchKey", "NoSuchVersion") else StoreRefused
    return kind(
        f"{service} refused {error.operation_name} ({code}): {message}",
        code=code,
        cause=Cause.PERMISSION if code in _PERMISSION else Cause.S3,
        transient=code in _TRANSIENT,
    )


def unreachable(error: BotoCoreError, about: str = "") -> StoreUnreachable:
    """The StoreUnreachable for an error without an answer; `about` begins its message."""
    from botocore.exceptions import NoCredentialsError

    told = f"{about}{error}"
    if isinstance(error, NoCredentialsError):
        return StoreUnreachable(f"{told}: {_SIGN_IN}", cause=Cause.SETTINGS, transient=False)
    return StoreUnreachable(told, cause=Cause.NETWORK, transient=True)
