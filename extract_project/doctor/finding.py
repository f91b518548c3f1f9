"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extract_project.errors import ExtractError, StoreRefused, StoreUnreachable


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
    except StoreRefused as error:
        return Finding(subject, False, f"S3 answers {error.code or error}", fix)
    except StoreUnreachable as error:
        return Finding(subject, False, str(error), "configure the AWS SDK: AWS_REGION, a role")
    except ExtractError as error:
        return Finding(subject, False, *_halves(error))


def _halves(error: ExtractError) -> tuple[str, str]:
    """Messages of errors say what happened, a colon, and what to do next."""
    happened, _, fix = str(error).partition(": ")
    return happened, fix
