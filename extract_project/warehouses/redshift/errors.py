"""Redshift's error codes: the cause of a failure, and whether it is transient.

The codes are PostgreSQL's. Much of what happens on compute nodes has the code of an internal error
(XX000), also what is the statement's own fault, so that code alone is not tried again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.libpq import errors as libpq
from extract_project.warehouses.libpq.errors import BUSY, CODES, meaning_of
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg

_INTERNAL = "XX000"
# What an internal error is, by its words, which are English everywhere. 1023: see
# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html.
_WORDS = (
    (re.compile(r"\b1023\b|serializable isolation violation", re.IGNORECASE), BUSY),
    (re.compile(r"disk full", re.IGNORECASE), Meaning(Cause.BUSY)),
    (re.compile(r"SlowDown|Status 5\d\d", re.IGNORECASE), BUSY),
    (
        re.compile(r"S3ServiceException|AccessDenied|assume (IAM )?role|IAM role", re.IGNORECASE),
        Meaning(Cause.PERMISSION),
    ),
)

_CODES = {
    **CODES,
    "42501": Meaning(  # insufficient_privilege
        Cause.PERMISSION,
        hint="grant usage on the schema and select on the table to the user of the warehouse's "
        "settings",
    ),
    "55006": BUSY,  # object_in_use
}


def meaning(code: str | None, message: str = "") -> Meaning:
    """The meaning of an error's code, and of an internal error's words."""
    if code == _INTERNAL:
        return next((known for words, known in _WORDS if words.search(message)), Meaning())
    return meaning_of(code, _CODES)


def explained(
    error: psycopg.Error,
    statement: Rendered | None = None,
    before: int = 0,
    rows: int | None = None,
) -> WarehouseError:
    """The server's error as a WarehouseError; see `libpq.errors.explained`."""
    return libpq.explained(
        error, lambda told: meaning(error.sqlstate, told), statement, before, rows, plain=_plain
    )


def _plain(detail: str) -> str:
    """A detail on one line, without the frame of dashes that Redshift draws around some."""
    return libpq.uncapitalized(
        " ".join(detail.replace("-" * 10, " ").replace("-----", " ").split())
    )
