"""`unique`: no two rows share a key; exact, and spilling to disk rather than to memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from extract_project.publish.checks.base import (
    SAMPLES,
    Auditor,
    CheckSpec,
    Verdict,
    check_name,
    one_or_more,
    resolve,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class Unique(CheckSpec):
    """`unique: [order_id, line_number]`; as in SQL, rows with a NULL in the key are not compared"""

    unique: Annotated[list[str], one_or_more] = Field(min_length=1)

    @property
    def name(self) -> str:
        return check_name("unique", *self.unique)

    @property
    def rule(self) -> str:
        return f"{', '.join(self.unique)} unique"

    def auditor(self, schema: pa.Schema, keys: Sequence[str]) -> Auditor:
        return _Unique([resolve(column, schema, self.name) for column in self.unique])


class _Unique(Auditor):
    def __init__(self, columns: list[str]) -> None:
        self.spools = columns

    def conclude(self, result: duckdb.DuckDBPyConnection | None) -> Verdict:
        assert result is not None
        quoted = ['"' + column.replace('"', '""') + '"' for column in self.spools]
        keys = ", ".join(quoted)
        present = " and ".join(f"{column} is not null" for column in quoted)
        repeated = (
            f"(select {keys}, count(*) as rows from result where {present} "
            f"group by {keys} having count(*) > 1)"
        )
        key_count, row_count, rows = _first(
            result, f"select count(*), coalesce(sum(rows), 0)::bigint from {repeated}", repeated
        )
        rule = f"{', '.join(self.spools)} unique"
        if not key_count:
            return Verdict(True, f"{rule}: kept", {"repeated keys": 0})
        return Verdict(
            False,
            f"{rule}: broken by {key_count:,} keys that stand in {row_count:,} rows",
            {"repeated keys": key_count, "rows with a repeated key": row_count},
            rows,
        )


def _first(
    result: duckdb.DuckDBPyConnection, totals: str, repeated: str
) -> tuple[int, int, tuple[dict[str, object], ...]]:
    """The totals, and the most repeated keys where there are any."""
    found = result.execute(totals).fetchone()
    key_count, row_count = found or (0, 0)
    if not key_count:
        return 0, 0, ()
    cursor = result.execute(
        f"select * from {repeated} as repeated order by rows desc, columns(* exclude rows) limit {SAMPLES}"
    )
    names = [column[0] for column in cursor.description]
    samples = tuple(dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    return key_count, row_count, samples
