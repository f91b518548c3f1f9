"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from extract_project.errors import ExtractError
from extract_project.store.s3 import error_code


@dataclass(frozen=True)
class Finding:
    """One line: green, or red with what to do."""

    subject: str
    ok: bool
    detail: str
    fix: str = ""


def ask_s3(subject: str, ask: Callable[[], str], fix: str) -> Finding:
    """Green with what `ask` tells; red where S3 refuses it, with the fix."""
    try:
        return Finding(subject, True, ask())
    except ClientError as error:
        return Finding(subject, False, f"S3 answers {error_code(error) or error}", fix)
    except BotoCoreError as error:
        return Finding(subject, False, str(error), "configure the AWS SDK: AWS_REGION, a role")
    except ExtractError as error:
        return Finding(subject, False, *_halves(error))


def _halves(error: ExtractError) -> tuple[str, str]:
    """Messages of errors say what happened, a colon, and what to do next."""
    happened, _, fix = str(error).partition(": ")
    return happened, fix
