"""The audit: all checks of one extract, carried out while its result streams, before publishing.

Checks that need the whole result at once (`unique`, `sql`) read the columns they need from a
spool: a Parquet file on local disk, queried by an embedded DuckDB that spills to disk too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict, resolve
from extract_project.checks.unique import Unique
from extract_project.disk import local_disk, spilling
from extract_project.history.release import Release
from extract_project.lockdown import locked_down
from extract_project.stopping import Stop

if TYPE_CHECKING:
    import duckdb

_MEMORY_LIMIT = "128MB"


@dataclass(frozen=True)
class Outcome:
    """One check and its verdict."""

    name: str
    rule: str
    severity: Literal["error", "warn"]
    verdict: Verdict
    released: Release | None = None
    """The release that keeps this failed check from refusing the result."""

    @property
    def refuses(self) -> bool:
        return self.severity == "error" and not self.verdict.passed


def let_through(outcomes: Iterable[Outcome], release: Release | None) -> tuple[Outcome, ...]:
    """The outcomes, with those that the release covers turned into warnings."""
    return tuple(
        replace(each, severity="warn", released=release)
        if release and each.refuses and each.name in release.checks
        else each
        for each in outcomes
    )


class Audit:
    """Shows every row group to every auditor, then asks for the verdicts."""

    def __init__(
        self, checks: Sequence[CheckSpec], subject: Subject, directory: Path, stop: Stop
    ) -> None:
        """Raises AuditError if a check does not fit the result's columns."""
        schema = subject.schema
        subject = replace(subject, keys=_identifying_columns(checks, schema))
        self._auditors = [(check, check.auditor(subject)) for check in checks]
        self._directory, self._stop = directory, stop
        self._spool = _Spool.needed(
            [auditor for _, auditor in self._auditors], schema, directory / "result.parquet"
        )
        self._rows = 0

    @property
    def reads(self) -> list[str]:
        """The columns that the checks look at; of others they need at most the NULLs."""
        spooled = self._spool.names if self._spool else []
        read = [name for _, auditor in self._auditors for name in auditor.reads]
        return list(dict.fromkeys([*spooled, *read]))

    def observe(self, rows: pa.Table) -> None:
        """Show the next rows of the result to every auditor."""
        for batch in rows.to_batches():
            for _, auditor in self._auditors:
                auditor.observe(batch, self._rows + 1)
            self._rows += batch.num_rows
        if self._spool:
            self._spool.write(rows)

    def conclude(self) -> list[Outcome]:
        """The verdicts, in the order of the header; raises AuditError when a query fails."""
        outcomes = []
        with self._result() as result:
            for check, auditor in self._auditors:
                self._stop.require()
                verdict = auditor.conclude(result)
                outcomes.append(Outcome(check.name, check.rule, check.severity, verdict))
        return outcomes

    @contextmanager
    def _result(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        if self._spool is None:
            yield None
            return
        self._spool.close()
        tables, spill = {"result": self._spool.path}, self._directory / "spill"
        with (
            spilling(self._directory),
            locked_down(tables, spill, _MEMORY_LIMIT) as connection,
            self._stop.cancelling(connection.interrupt),
        ):
            yield connection


class _Spool:
    """The columns that auditors need again at the end, on local disk."""

    def __init__(self, schema: pa.Schema, path: Path) -> None:
        self.path = path
        self.names = schema.names
        self._writer = pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=False)

    @classmethod
    def needed(cls, auditors: Sequence[Auditor], schema: pa.Schema, path: Path) -> _Spool | None:
        wanted = set[str]()
        for auditor in auditors:
            wanted.update(schema.names if auditor.spools == "*" else auditor.spools)
        columns = [column for column in schema if column.name in wanted]
        return cls(pa.schema(columns), path) if columns else None

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.select(self.names))

    def close(self) -> None:
        self._writer.close()


@contextmanager
def audit_directory() -> Iterator[Path]:
    """A temporary directory for one audit; raises DiskFull if the disk is full."""
    with tempfile.TemporaryDirectory(prefix="extract-audit-") as name:
        directory = Path(name)
        with local_disk(directory):
            yield directory


def _identifying_columns(checks: Sequence[CheckSpec], schema: pa.Schema) -> list[str]:
    """The columns that the header declares unique. They identify sample rows."""
    for check in checks:
        if isinstance(check, Unique):
            return [resolve(column, schema, check.name) for column in check.unique]
    return []
