"""Redshift's error codes: the cause of a failure, and whether it is transient.

The codes are PostgreSQL's. Much of what happens on compute nodes has the code of an internal error
(XX000), also what is the statement's own fault, so that code alone is not tried again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg

_LOST = Meaning(Cause.NETWORK, transient=True)
_BUSY = Meaning(Cause.BUSY, transient=True)
_INTERNAL = "XX000"
# What an internal error is, by its words, which are English everywhere. 1023: see
# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html.
_WORDS = (
    (re.compile(r"\b1023\b|serializable isolation violation", re.IGNORECASE), _BUSY),
    (re.compile(r"disk full", re.IGNORECASE), Meaning(Cause.BUSY)),
    (re.compile(r"SlowDown|Status 5\d\d", re.IGNORECASE), _BUSY),
    (
        re.compile(r"S3ServiceException|AccessDenied|assume (IAM )?role|IAM role", re.IGNORECASE),
        Meaning(Cause.PERMISSION),
    ),
)

# The codes, and then the classes, which are their first two characters.
_CODES = {
    "3D000": Meaning(Cause.SETTINGS),  # invalid_catalog_name: no such database
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": Meaning(  # insufficient_privilege
        Cause.PERMISSION,
        hint="grant usage on the schema and select on the table to the user of the warehouse's "
        "settings",
    ),
    "55006": _BUSY,  # object_in_use
    "55P03": _BUSY,
    "57P01": _LOST,  # admin_shutdown: a resize, a pause, a maintenance window
    "57P02": _LOST,
    "57P03": _BUSY,  # cannot_connect_now
}
_CLASSES = {
    "08": _LOST,
    "28": Meaning(Cause.SIGN_IN),
    "53": _BUSY,
}


def meaning(code: str | None, message: str = "") -> Meaning:
    """The meaning of an error's code. An error without one comes from a lost connection."""
    if code is None:
        return _LOST
    if code == _INTERNAL:
        return next((known for words, known in _WORDS if words.search(message)), Meaning())
    return _CODES.get(code) or _CLASSES.get(code[:2]) or Meaning()


def explained(
    error: psycopg.Error,
    statement: Rendered | None = None,
    before: int = 0,
    rows: int | None = None,
) -> WarehouseError:
    """The server's error as a WarehouseError, after `rows` rows of the result.

    Its position counts in the statement that was sent, in which `before` characters precede the
    author's text.
    """
    said = error.diag
    parts = [said.message_primary or str(error).strip()]
    parts += [_plain(more) for more in (said.message_detail, said.message_hint) if more]
    message = "; ".join(parts)
    known = meaning(error.sqlstate, message)
    line = column = None
    if statement is not None and said.statement_position:
        line, column = statement.origin(int(said.statement_position) - 1 - before)
    if rows is not None:
        message = f"after {rows:,} rows: {message}"
    if error.sqlstate:
        message = f"{message} ({error.sqlstate})"
    return WarehouseError(
        f"{message}: {known.hint}" if known.hint else message,
        cause=known.cause,
        line=line,
        column=column,
        transient=known.transient,
    )


def _plain(detail: str) -> str:
    """A detail on one line, without the frame of dashes that Redshift draws around some."""
    text = " ".join(detail.replace("-" * 10, " ").replace("-----", " ").split())
    return f"{text[:1].lower()}{text[1:]}"
