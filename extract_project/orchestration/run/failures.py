"""Make the failure report of an error: the first thing that a person on call reads.

It says what happened and in which line, with the line quoted; what readers have now; and what to
do next. Only transient errors are retried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import dagster as dg

from extract_project.errors import Cause, ExtractError, SchemaError, WarehouseError
from extract_project.manifest.extract import Extract
from extract_project.manifest.header.frontmatter import Path
from extract_project.orchestration.names.task_end import cause_of_end, last_words, out_of_memory
from extract_project.orchestration.run.standing import Current, standing
from extract_project.pipeline.attempt import RefusedResult
from extract_project.pipeline.everywhere import PartlyPublished
from extract_project.pipeline.staging import Staged
from extract_project.publish.publishing import Published

CAUSE = "cause"
"""The metadata entry of a failure with its cause."""

SQL_SHA256 = "sql_sha256"
"""The metadata entry with the checksum of the SQL."""

_ONLY_LACKING = "a rerun publishes only at the destinations that lack this result"
_RERUN = "then rerun this extract alone: extract rerun --failed"
_NEXT = {
    Cause.SQL: f"fix the SQL and push it: the new version is live in seconds; {_RERUN}",
    Cause.PERMISSION: f"grant what is missing; {_RERUN}",
    Cause.SIGN_IN: f"correct the sign-in of warehouse {{warehouse!r}}; {_RERUN}",
    Cause.BUSY: "when the warehouse has capacity again: extract rerun --failed",
    Cause.NETWORK: "when the network works again: extract rerun --failed",
    Cause.S3: f"fix the access to the bucket; {_RERUN}",
    Cause.AUDIT: f"fix the data in the warehouse or the rule in the header; {_RERUN}",
    Cause.TIMEOUT: f"make the query cheaper, or raise 'timeout' in the header; {_RERUN}",
    Cause.CANCELLED: "if that was not intended: extract run {path}",
    Cause.SUPERSEDED: "nothing: readers already have newer data than this run's",
    Cause.MEMORY: f"raise 'memory' in the header, or select fewer columns at a time; {_RERUN}",
    Cause.DISK: f"raise 'disk' in the header, or check fewer columns with unique; {_RERUN}",
    Cause.KILLED: "look at the end of the run's log; then: extract rerun --failed",
    Cause.SETTINGS: f"correct the setting; {_RERUN}",
    Cause.OURS: "report it with the stack below; the other extracts are not affected",
}


@dataclass(frozen=True)
class Attempt:
    """An attempt at an extract or one of its partitions, with its number."""

    extract: Extract
    partition: str | None = None
    number: int = 1

    @property
    def last(self) -> bool:
        return self.number > self.extract.header.retries.max

    def place(self, line: int | None = None, column: int | None = None) -> str:
        """`sales/orders.sql:3:5`, and the partition if there is one."""
        parts = (self.extract.file, line, column)
        place = ":".join(str(part) for part in parts if part is not None)
        return f"{place} (partition {self.partition})" if self.partition else place


def failure(
    error: Exception, attempt: Attempt, current: Current, *, may_retry: bool = True
) -> dg.Failure:
    """The failure of an attempt that has not published, as far as is known.

    Only a transient error is retried, and only if `may_retry`.
    """
    known = error if isinstance(error, WarehouseError) else None
    line, column = (known.line, known.column) if known else (None, None)
    reason = _reason(error)
    if known and known.key:
        problem = attempt.extract.problem((known.key,), reason)
        line, column, reason = problem.line, problem.column, problem.message
    again = is_transient(error) and may_retry and not attempt.last
    paragraphs = [f"{attempt.place(line, column)}: {reason}"]
    if line is not None:
        paragraphs.append(quoted(attempt.extract.text, line, column))
    if known and known.query_id:
        paragraphs.append(f"query {known.query_id} {known.query_url or ''}".strip())
    if isinstance(error, PartlyPublished):
        paragraphs.append(f"{error.standing}\n{_ONLY_LACKING}")
    else:
        paragraphs.append(standing(current))
    paragraphs.append(_again(attempt) if again else _next_step(cause_of(error), attempt))
    metadata = _metadata(attempt, current) | {CAUSE: cause_of(error).value}
    if known and known.query_id:
        metadata["query_id"] = known.query_id
    if known and known.query_url:
        metadata["query"] = dg.MetadataValue.url(known.query_url)
    return dg.Failure(
        description="\n\n".join(paragraphs),
        metadata=metadata,
        allow_retries=is_transient(error) and may_retry,
    )


def ended_after_publishing(attempt: Attempt, published: Published) -> dg.Failure:
    """The end of a run that was terminated after it had published."""
    told = (
        f"{attempt.place()}: the run was stopped from outside after its result was published: "
        f"{published.outcome}, version {published.version_id}"
    )
    return dg.Failure(
        description=f"{told}\n\nnext: nothing; to go back: extract rollback {attempt.extract.path}",
        metadata={CAUSE: Cause.CANCELLED.value, "current_version": published.version_id},
        allow_retries=False,
    )


def refusal(refused: RefusedResult, attempt: Attempt, dagster_url: str) -> dg.Failure:
    """The failure of an attempt whose result was refused."""
    if not refused.outcomes:
        return _refusal_of_empty(refused.staged, attempt)
    lines = []
    for outcome in refused.outcomes:
        path = attempt.extract.header.path_of_check(outcome.name)
        lines.append(_placed(attempt, path, outcome.verdict.summary))
        lines += [
            "    " + ", ".join(f"{name}={value}" for name, value in row.items())
            for row in outcome.verdict.samples
        ]
    partition = f" --partition {attempt.partition}" if attempt.partition else ""
    advice = (
        "; to publish such results with a warning, add 'severity: warn' to the check; to publish "
        f"this one: extract release {attempt.extract.path}{partition} --reason '…'"
    )
    failed = _refused(refused.staged, attempt, lines, _next_step(Cause.AUDIT, attempt) + advice)
    page = _page_of_check(dagster_url, attempt.extract.path, refused.outcomes[0].name)
    return dg.Failure(
        description=failed.description,
        metadata={**failed.metadata, "failed_check": dg.MetadataValue.url(page)},
        allow_retries=False,
    )


def _page_of_check(dagster_url: str, path: str, check: str) -> str:
    """The page of a check. Dagster's own list of an asset's checks opens the first by name."""
    place = f"{dagster_url.rstrip('/')}/assets/{quote(path)}"
    return f"{place}?{urlencode({'view': 'checks', 'checkDetail': check})}"


def refusal_of_schema(error: SchemaError, attempt: Attempt, current: Current) -> dg.Failure:
    """The failure of a run whose result has the wrong columns."""
    faults = [_placed(attempt, path, fault) for path, fault in error.faults]
    paragraphs = ["\n".join(faults), standing(current), f"next: {error.advice}"]
    return dg.Failure(
        description="\n\n".join(paragraphs),
        metadata=_metadata(attempt, current) | {CAUSE: error.cause.value},
        allow_retries=False,
    )


def _refusal_of_empty(staged: Staged, attempt: Attempt) -> dg.Failure:
    """The failure of a run whose result has no rows, with `on_empty: fail`."""
    reason = "the result has no rows, and the header says on_empty: fail"
    lines = [_placed(attempt, ("on_empty",), reason)]
    return _refused(staged, attempt, lines, _next_step(Cause.AUDIT, attempt))


def _placed(attempt: Attempt, path: Path, message: str) -> str:
    """The text about a header key, after its position."""
    problem = attempt.extract.problem(path, message)
    return f"{attempt.place(problem.line, problem.column)}: {problem.message}"


def end_of_process(place: str, told: str) -> str:
    """The failure report of a run whose process is gone; `told` is what monitoring found."""
    reason = (
        "the run's process died without reporting why: it ran out of memory"
        if out_of_memory(told)
        else "the run's process died without reporting why: it was killed, evicted or never "
        "started; see the end of its log"
    )
    paragraphs = [f"{place}: {reason}", last_words(told), f"next: {_NEXT[cause_of_end(told)]}"]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def is_expected(error: Exception) -> bool:
    """Whether the error is raised on purpose. Anything else is a bug, and keeps its stack trace."""
    return isinstance(error, ExtractError | MemoryError)


def is_transient(error: Exception) -> bool:
    """Whether the same attempt may succeed a minute later."""
    return isinstance(error, ExtractError) and error.transient


def cause_of(error: Exception) -> Cause:
    """The cause of failure that an error stands for."""
    if isinstance(error, ExtractError):
        return error.cause
    return Cause.MEMORY if isinstance(error, MemoryError) else Cause.OURS


def quoted(text: str, line: int, column: int | None) -> str:
    """A line of the file with a caret below the column."""
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    gutter = f"{line:>5} | "
    caret = f"\n{' ' * (len(gutter) - 2)}| {' ' * (column - 1)}^" if column else ""
    return f"{gutter}{lines[line - 1]}{caret}"


def _refused(staged: Staged, attempt: Attempt, lines: list[str], next_step: str) -> dg.Failure:
    count = f"{staged.receipt.rows_staged:,} rows were staged and refused; nothing was published"
    paragraphs = ["\n".join(lines), count, standing(Current.of(staged.branches)), next_step]
    return dg.Failure(
        description="\n\n".join(paragraphs),
        metadata=_metadata(attempt, Current.of(staged.branches))
        | {CAUSE: Cause.AUDIT.value, "rows_staged": staged.receipt.rows_staged},
        allow_retries=False,
    )


def _metadata(attempt: Attempt, current: Current) -> dict[str, Any]:
    source = attempt.extract.source
    metadata: dict[str, Any] = {
        "sql_file": f"{source.key} (version {source.version_id})",
        SQL_SHA256: source.sha256,
        "current_version": current.uri,
    }
    if attempt.partition:
        metadata["partition"] = attempt.partition
    return metadata


def _next_step(cause: Cause, attempt: Attempt) -> str:
    extract = attempt.extract
    return "next: " + _NEXT[cause].format(warehouse=extract.warehouse, path=extract.path)


def _again(attempt: Attempt) -> str:
    tries = attempt.extract.header.retries.max + 1
    return f"next: nothing yet; this was attempt {attempt.number} of {tries}, and the next follows"


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"this process has no memory left: {error or 'an allocation failed'}"
    if is_expected(error):
        return str(error)
    return f"an unexpected {type(error).__name__}, which is a bug in extract_project: {error}"
