"""From an error to the card that whoever is on call reads first.

What happened and in which line, with the line quoted; what became of the published version; what
to do next. Only transient errors are worth a retry, and only those get one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from extract_project.errors import ExtractError, WarehouseError
from extract_project.manifest.extract import Extract
from extract_project.publish.audit import Outcome
from extract_project.publish.staging import Staged
from extract_project.publish.versions import Version
from extract_project.s3 import error_code

_TRANSIENT_S3 = {
    *("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500"),
    *("Throttling", "ThrottlingException", "RequestTimeTooSkewed", "ExpiredToken"),
}


def failure(error: Exception, extract: Extract, current: Version | None) -> dg.Failure:
    """The failure of a run; `current` is what the key holds now."""
    line = error.line if isinstance(error, WarehouseError) else None
    column = error.column if isinstance(error, WarehouseError) else None
    place = ":".join(str(part) for part in (extract.file, line, column) if part is not None)
    paragraphs = [f"{place}: {_reason(error)}"]
    if line is not None:
        paragraphs.append(quoted(extract.text, line, column))
    paragraphs.append(standing(current))
    metadata: dict[str, Any] = {
        "sql_file": f"{extract.source.key} (version {extract.source.version_id})",
        "current_version": current.uri if current else "none",
    }
    if isinstance(error, WarehouseError) and error.query_id:
        metadata["query_id"] = error.query_id
    if isinstance(error, WarehouseError) and error.query_url:
        metadata["query"] = dg.MetadataValue.url(error.query_url)
    return dg.Failure(
        description="\n\n".join(paragraphs),
        metadata=metadata,
        allow_retries=is_transient(error),
    )


def cancelled(extract: Extract, current: Version | None) -> dg.Failure:
    """The end of a run that was terminated, or whose task was stopped."""
    return dg.Failure(
        description=f"{extract.file}: the run was ended from outside; its query has been "
        f"cancelled\n\n{standing(current)}",
        allow_retries=False,
    )


def refusal(staged: Staged, extract: Extract, refused: Sequence[Outcome]) -> dg.Failure:
    """The failure of a run whose result did not pass its audit."""
    lines = []
    for outcome in refused:
        index = [check.name for check in extract.header.checks].index(outcome.name)
        line, column = extract.place(("checks", index))
        lines.append(f"{extract.file}:{line}:{column}: {outcome.verdict.summary}")
        lines += [
            "    " + ", ".join(f"{name}={value}" for name, value in row.items())
            for row in outcome.verdict.samples
        ]
    return _refused(staged, lines)


def refusal_of_empty(staged: Staged, extract: Extract) -> dg.Failure:
    """The failure of a run without rows where the header wants some."""
    line, column = extract.place(("on_empty",))
    reason = "the result has no rows, and the header says on_empty: fail"
    return _refused(staged, [f"{extract.file}:{line}:{column}: {reason}"])


def is_expected(error: Exception) -> bool:
    """Whether the error explains itself; anything else is a fault of ours, and keeps its trace."""
    return isinstance(error, ExtractError | ClientError | BotoCoreError)


def is_transient(error: Exception) -> bool:
    """Whether the same attempt may well succeed a minute later."""
    if isinstance(error, ExtractError):
        return error.transient
    return isinstance(error, BotoCoreError) or error_code(error) in _TRANSIENT_S3


def quoted(text: str, line: int, column: int | None) -> str:
    """A line of the file with a caret below the column."""
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    gutter = f"{line:>5} | "
    caret = f"\n{' ' * (len(gutter) - 2)}| {' ' * (column - 1)}^" if column else ""
    return f"{gutter}{lines[line - 1]}{caret}"


def standing(current: Version | None) -> str:
    """What readers have now."""
    if current is None:
        return "nothing has been published under this key yet, and nothing is now."
    return f"the published version is untouched: {current.uri}"


def _refused(staged: Staged, lines: list[str]) -> dg.Failure:
    count = f"{staged.receipt.rows:,} rows were staged and refused; nothing was published"
    next_step = (
        "next: mend the data in the warehouse or the rule in the header, then rerun this extract "
        "alone; to let such results pass with a warning, add 'severity: warn' to the check"
    )
    return dg.Failure(
        description="\n\n".join(["\n".join(lines), count, standing(staged.previous), next_step]),
        metadata={"rows_staged": staged.receipt.rows},
        allow_retries=False,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        operation = error.operation_name
        message = error.response.get("Error", {}).get("Message", "")
        return f"S3 refused {operation} ({error_code(error)}): {message}"
    if is_expected(error):
        return str(error)
    return f"an unexpected {type(error).__name__}, which is a fault of extract_project: {error}"
