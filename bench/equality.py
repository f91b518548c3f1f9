"""Compare a contestant's file with the warehouse: rows, values and types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Verdict:
    """`types` lists types that differ from the warehouse's; empty if none do."""

    rows: int
    expected_rows: int
    equal: bool
    types: tuple[str, ...]
    bytes: int

    @property
    def shown(self) -> str:
        if self.rows != self.expected_rows:
            return f"**{self.rows:,} of {self.expected_rows:,} rows**"
        if not self.equal:
            return "**other values**"
        return "exact" if not self.types else "; ".join(self.types)


def judge(s3: S3Client, bucket: str, key: str, truth: Path) -> Verdict | None:
    """Compare an object, or all objects below it, with `shop.lineitem`; None if nothing is there.

    Every value is cast to the warehouse's type and hashed, so a double in the place of a decimal
    counts as equal as long as it rounds to it: the types tell the rest.
    """
    with TemporaryDirectory() as directory:
        files = _download(s3, bucket, key, Path(directory))
        if not files:
            return None
        size = sum(file.stat().st_size for file in files)
        names = ", ".join(f"'{file}'" for file in files)
        with duckdb.connect(str(truth), read_only=True) as connection:
            columns = connection.execute("describe shop.lineitem").fetchall()
            expected = _checksums(connection, "shop.lineitem", columns, columns)
            written = connection.execute(f"describe from read_parquet([{names}])").fetchall()
            found = _checksums(connection, f"read_parquet([{names}])", written, columns)
        return Verdict(
            found[0], expected[0], found == expected, _odd_types(files[0], columns), size
        )


def _download(s3: S3Client, bucket: str, key: str, directory: Path) -> list[Path]:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    files: list[Path] = []
    for each in listed:
        # dlt keeps its own tables beside the result.
        if each["Key"].endswith(".parquet") and "/_dlt" not in each["Key"] and each["Size"]:
            files.append(directory / f"{len(files)}.parquet")
            s3.download_file(bucket, each["Key"], str(files[-1]))
    return files


def _checksums(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    written: list[tuple[str, ...]],
    columns: list[tuple[str, ...]],
) -> tuple[int, ...]:
    by_name = {column[0].lower(): column[0] for column in written}
    sums = []
    for name, kind, *_ in columns:
        quoted = '"' + by_name.get(name, name).replace('"', '""') + '"'
        sums.append(f"sum(hash(try_cast({quoted} as {kind})))::hugeint")
    row = connection.execute(f"select count(*), {', '.join(sums)} from {table}").fetchone()
    assert row is not None
    return tuple(row)


def _odd_types(file: Path, columns: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Columns whose type is neither the warehouse's nor a wider one of the same kind."""
    schema = pq.read_schema(file)
    found = {field.name.lower(): str(field.type) for field in schema}
    odd = set()
    for name, kind, *_ in columns:
        written = found.get(name, "missing")
        base = kind.split("(")[0].lower()
        allowed = {
            "decimal": ("decimal128(15, 2)",),
            "bigint": ("int64", "decimal128(38, 0)"),
            "integer": ("int32", "int64", "decimal128(38, 0)"),
            "date": ("date32[day]",),
            "varchar": ("string", "large_string"),
        }[base]
        if written not in allowed:
            odd.add(f"{kind.lower()} → {written}")
    return tuple(sorted(odd))
