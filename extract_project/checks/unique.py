"""`unique`: no two rows share a key. The check is exact; it spills to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from extract_project.checks.base import (
    SAMPLES,
    Auditor,
    ColumnsCheck,
    Subject,
    Verdict,
    one_or_more,
    resolve,
)
from extract_project.sql_quoting import identifier

if TYPE_CHECKING:
    import duckdb

_COUNT = "rows with this key"


class Unique(ColumnsCheck):
    """No two rows have the same key: `unique: [order_id, line_number]`. As in SQL, rows with a NULL
    in the key are not compared."""

    key = "unique"
    form = "a column, or a list of them, as in unique: [order_id, line_number]"

    unique: Annotated[list[str], one_or_more] = Field(min_length=1)

    @property
    def rule(self) -> str:
        return f"{', '.join(self.unique)} unique"

    def auditor(self, subject: Subject) -> Auditor:
        return _Unique([resolve(column, subject.schema, self.name) for column in self.unique])


class _Unique(Auditor):
    def __init__(self, columns: list[str]) -> None:
        self.spools = columns

    def conclude(self, result: duckdb.DuckDBPyConnection | None) -> Verdict:
        from extract_project.schema.display import shown

        assert result is not None
        rule = f"{', '.join(self.spools)} unique"
        quoted = [identifier(column) for column in self.spools]
        keys = ", ".join(quoted)
        present = " and ".join(f"{column} is not null" for column in quoted)
        repeated = (
            f'(select count(*) as "{_COUNT}", {keys} from result where {present} '
            f"group by {keys} having count(*) > 1)"
        )
        totals = result.execute(f'select count(*), sum("{_COUNT}")::bigint from {repeated}')
        key_count, row_count = totals.fetchall()[0]
        if not key_count:
            return Verdict(True, f"{rule}: kept", {"repeated keys": 0})
        texts = ", ".join(f"{column}::varchar" for column in quoted)
        worst = result.execute(
            f'select {texts}, "{_COUNT}"::varchar from {repeated} '
            f'order by "{_COUNT}" desc, {keys} limit {SAMPLES}'
        )
        names = [*self.spools, _COUNT]
        return Verdict(
            False,
            f"{rule}: broken by {key_count:,} keys, which {row_count:,} rows share",
            {"repeated keys": key_count, "rows with a repeated key": row_count},
            tuple(
                {name: shown(text) for name, text in zip(names, row, strict=True)}
                for row in worst.fetchall()
            ),
        )
