"""`sql`: a query over the staged result, as table `result`, that returns the violating rows."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from extract_project.checks.base import SAMPLES, Auditor, CheckSpec, Subject, Verdict, check_name
from extract_project.errors import AuditError
from extract_project.expected import Expected

if TYPE_CHECKING:
    import duckdb

_TEXTS = "select columns(*)::varchar from (\n{}\n)"
"""Cast to text, because Python cannot represent all values of DuckDB."""


class SqlCheck(CheckSpec):
    """Your own query returns no row: `sql: select * from result where shipped_at < ordered_at`."""

    key = "sql"
    form = "a query, as in sql: select * from result where shipped_at < ordered_at"

    sql: str = Field(
        description="DuckDB SQL over the table `result`; each row that it returns is a violation."
    )
    label: Annotated[str, Expected("letters, digits and underscores")] = Field(
        "", description="A name for the check in the UI.", pattern=r"^\w*$"
    )

    @field_validator("sql")
    @classmethod
    def _reads_only(cls, value: str) -> str:
        from extract_project.problem import Refused
        from extract_project.sql.duckdb import DuckDB
        from extract_project.sql.guard import read_statement

        try:
            read_statement(value, DuckDB())
        except Refused as refused:
            raise ValueError(refused.problems[0].message) from None
        return value

    @property
    def name(self) -> str:
        return check_name("sql", self.label or sha256(self.sql.encode()).hexdigest()[:8])

    @property
    def rule(self) -> str:
        return f"no row from: {' '.join(self.sql.split())}"

    def auditor(self, subject: Subject) -> Auditor:
        return _SqlAuditor(self.name, self.sql)


class _SqlAuditor(Auditor):
    spools: Literal["*"] = "*"

    def __init__(self, name: str, sql: str) -> None:
        self._name, self._sql = name, sql.rstrip().rstrip(";")

    def conclude(self, result: duckdb.DuckDBPyConnection | None) -> Verdict:
        import duckdb

        from extract_project.schema.display import shown

        assert result is not None
        try:
            cursor = result.execute(_TEXTS.format(self._sql))
            names = [column[0] for column in cursor.description]
            samples: list[dict[str, str]] = []
            count = 0
            while rows := cursor.fetchmany(10_000):
                for row in rows[: SAMPLES - len(samples)]:
                    samples.append(
                        {name: shown(text) for name, text in zip(names, row, strict=True)}
                    )
                count += len(rows)
        except duckdb.IOException:
            raise  # an error of the local disk, the only thing that the query can reach
        except duckdb.Error as error:
            raise AuditError(
                f"check {self._name!r} failed: {error}; the result is the table 'result'"
            ) from None
        summary = f"the query returned {count:,} rows" if count else "the query returned no row"
        return Verdict(not count, summary, {"violations": count}, tuple(samples))
