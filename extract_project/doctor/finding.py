"""The result of one check of the doctor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extract_project.errors import ExtractError, StoreRefused, StoreUnreachable


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: green, or red with the fix."""

    subject: str
    ok: bool
    detail: str
    fix: str = ""


def ask_s3(subject: str, ask: Callable[[], str], fix: str) -> Finding:
    """Green with the text of `ask`; red with the fix if S3 refuses."""
    try:
        return Finding(subject, True, ask())
    except StoreRefused as error:
        return Finding(subject, False, f"S3 answers {error.code or error}", fix)
    except StoreUnreachable as error:
        return Finding(subject, False, str(error), "configure the AWS SDK: AWS_REGION, a role")
    except ExtractError as error:
        return Finding(subject, False, *_halves(error))


def _halves(error: ExtractError) -> tuple[str, str]:
    """Split an error's message into what happened and what to do next, at its colon."""
    happened, _, fix = str(error).partition(": ")
    return happened, fix
