"""Compare how programs write types that easily lose values: `python -m bench.types`.

Each type is read and written as a separate column, so that one that a program cannot take does not
hide the others. Writes docs/types.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from bench.contestants import CONTESTANTS, Contestant
from bench.measure import Measurement, measure
from bench.run import put_sql
from bench.site import BUCKETS, BenchSite, bench_site, make_peers
from extract_project.store.s3.client import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OURS = "this project"
_SECONDS = 60
_TABLE = "shop.tricky"


@dataclass(frozen=True)
class Tricky:
    """A column: its declaration, its values as SQL, and what a reader should find."""

    name: str
    declared: str
    values: tuple[str, ...]
    found: tuple[Any, ...]

    @property
    def shown(self) -> str:
        return f"{self.declared}: {', '.join(self.values)}"[:70]


_BOTH = (
    Tricky(
        "wide_decimal",
        "numeric(38, 10)",
        ("1234567890123456789012345678.0123456789", "null"),
        (Decimal("1234567890123456789012345678.0123456789"), None),
    ),
    Tricky("money_like", "numeric(15, 2)", ("0.10", "null"), (Decimal("0.10"), None)),
    Tricky("nineteen_digits", "bigint", ("9223372036854775807", "null"), (2**63 - 1, None)),
    Tricky("nullable_integer", "integer", ("7", "null"), (7, None)),
    Tricky(
        "far_date",
        "date",
        ("'0001-01-01'", "'9999-12-31'", "null"),
        (date(1, 1, 1), date(9999, 12, 31), None),
    ),
    Tricky(
        "far_timestamp",
        "timestamp",
        ("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "null"),
        (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), None),
    ),
    Tricky(
        "instant",
        "timestamp with time zone",
        ("'2026-03-29 02:30:00+01'", "null"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), None),
    ),
    Tricky("time_of_day", "time", ("'23:59:59.999999'", "null"), (time(23, 59, 59, 999999), None)),
    Tricky(
        "double",
        "double precision",
        ("'infinity'", "0.1", "null"),
        (float("inf"), 0.1, None),
    ),
    Tricky("flag", "boolean", ("true", "null"), (True, None)),
    Tricky("empty_or_null", "varchar", ("''", "'a,\"b\"'", "null"), ("", 'a,"b"', None)),
)
_POSTGRES = (
    *_BOTH,
    Tricky("bytes", "bytea", ("'\\x00ff'", "''", "null"), (b"\x00\xff", b"", None)),
    Tricky("document", "json", ("'{\"a\": 1.50}'", "null"), ('{"a": 1.50}', None)),
    Tricky(
        "identifier",
        "uuid",
        ("'2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f'", "null"),
        ("2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f", None),
    ),
    Tricky("padded", "char(5)", ("'ab'", "null"), ("ab   ", None)),
    Tricky(
        "free_numeric",
        "numeric",
        ("123456789012345678901234567890.123456789", "null"),
        (Decimal("123456789012345678901234567890.123456789"), None),
    ),
    Tricky("span", "interval", ("'1 month -2 days'", "null"), ()),
)
_TRICKY = {"postgres": _POSTGRES, "snowflake": _BOTH}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.types", description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path(".bench"))
    parser.add_argument("--output", type=Path, default=Path("docs/types.md"))
    given = parser.parse_args()
    directory = given.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    peers = make_peers(directory / "peers", Path(__file__).parent / "peers" / "requirements.lock")
    scale = 0.002
    _make_duckdb(directory / f"tpch-{scale:g}.duckdb", scale)
    with bench_site(directory, scale) as site:
        os.environ.update({k: v for k, v in site.environment.items() if k.startswith("AWS_")})
        _make_postgres(site)
        sections = [_section(_Trial(site, connect(), source, peers)) for source in _TRICKY]
    given.output.write_text("\n\n".join([_INTRODUCTION, *sections]) + "\n")


_INTRODUCTION = """# Types

Printed by `make bench-types`. One column at a time, with extremes and a NULL, is read from the
warehouse and written as Parquet; the file is read back and compared with what the warehouse holds.

**exact**: the same values in a type that says the same. *as double*, *as text*, …: the values are
there, in a type that readers have to know about. *other values*: what was read back is not what
the warehouse holds. *refused*: an error that says what to write instead. *fails*: any other
error."""


@dataclass(frozen=True)
class _Trial:
    """The context of all columns of a source."""

    site: BenchSite
    s3: S3Client
    source: str
    peers: Path


def _make_duckdb(path: Path, scale: float) -> None:
    from extract_project.embedded.tpch import make_warehouse

    make_warehouse(path, scale)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"drop table if exists {_TABLE}")
        connection.execute(f"create table {_TABLE} ({_declarations(_BOTH)})")
        for row in _rows(_BOTH):
            connection.execute(f"insert into {_TABLE} values ({row})")


def _make_postgres(site: BenchSite) -> None:
    with psycopg.connect(site.environment["BENCH_POSTGRES"], autocommit=True) as connection:
        connection.execute(f"drop table if exists {_TABLE}")
        connection.execute(f"create table {_TABLE} ({_declarations(_POSTGRES)})")
        for row in _rows(_POSTGRES):
            connection.execute(f"insert into {_TABLE} values ({row})")


def _declarations(columns: Sequence[Tricky]) -> str:
    return ", ".join(f"{column.name} {column.declared}" for column in columns)


def _rows(columns: Sequence[Tricky]) -> Iterator[str]:
    """Every column has its values in its first rows, and its last one (NULL) in the others."""
    for number in range(max(len(column.values) for column in columns)):
        yield ", ".join(column.values[min(number, len(column.values) - 1)] for column in columns)


def _section(trial: _Trial) -> str:
    contestants = [each for each in CONTESTANTS if trial.source in each.sources]
    names = [_OURS, *(each.name for each in contestants)]
    lines = [
        f"## {trial.source.capitalize()}",
        "",
        f"| column | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for column in _TRICKY[trial.source]:
        cells = [_ours(trial, column), *(_peer(trial, column, each) for each in contestants)]
        lines.append(f"| `{column.shown}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _query(column: Tricky) -> str:
    return f"select {column.name} from {_TABLE}"


def _ours(trial: _Trial, column: Tricky) -> str:
    site = trial.site
    put_sql(trial.s3, trial.source, _query(column))
    command = [sys.executable, "-m", "bench.pipeline", trial.source]
    run = measure(command, site.environment, site.directory / "types.log", _SECONDS)
    if "TypeMappingError" in run.output:
        return "refused"
    if run.exit_code:
        raise RuntimeError(f"{column.name} from {trial.source} failed:\n{run.output}")
    return _verdict(trial.s3, f"extracts/bench/{trial.source}.parquet", column, run)


def _peer(trial: _Trial, column: Tricky, peer: Contestant) -> str:
    site = trial.site
    key = f"types/{trial.source}/{peer.script}/{column.name}.parquet"
    environment = {
        **site.environment,
        **peer.environment,
        "BENCH_SOURCE": trial.source,
        "BENCH_QUERY": _query(column),
        "BENCH_TARGET": f"s3://{BUCKETS[1]}/{key}",
    }
    log = site.directory / "types.log"
    run = measure(peer.command(trial.peers), environment, log, _SECONDS, site.directory)
    return _verdict(trial.s3, key, column, run)


def _verdict(s3: S3Client, key: str, column: Tricky, run: Measurement) -> str:
    if run.exit_code:
        return "fails"
    listed = s3.list_objects_v2(Bucket=BUCKETS[1], Prefix=key).get("Contents", [])
    files = [
        each["Key"]
        for each in listed
        if each["Key"].endswith(".parquet") and "/_dlt" not in each["Key"] and each["Size"]
    ]
    if not files:
        return "fails"
    body = s3.get_object(Bucket=BUCKETS[1], Key=files[-1])["Body"].read()
    try:
        written = pq.read_table(BytesIO(body)).column(0)
        values = written.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError, KeyError):  # KeyError: no such time zone
        return "**other values**"
    return compare(written.type, values[: len(column.found)], list(column.found))


def compare(kind: pa.DataType, values: list[Any], expected: list[Any]) -> str:
    """One cell of the table."""
    name = _kind(kind)
    if not expected:
        return f"as {name}"
    if values == expected and _says_the_same(kind, expected):
        return "exact"
    if [_text(value) for value in values] == [_text(value) for value in expected]:
        return f"as {name}"
    return f"**other values** ({name})"


def _says_the_same(kind: pa.DataType, expected: list[Any]) -> bool:
    first = next(value for value in expected if value is not None)
    types = pa.types
    if isinstance(first, bool):
        return bool(types.is_boolean(kind))
    if isinstance(first, int):
        return bool(types.is_integer(kind) or types.is_decimal(kind))
    if isinstance(first, datetime):
        return bool(types.is_timestamp(kind)) and (kind.tz is not None) == (
            first.tzinfo is not None
        )
    tests = {
        Decimal: types.is_decimal,
        float: types.is_floating,
        date: types.is_date,
        time: types.is_time,
        str: lambda each: types.is_string(each) or types.is_large_string(each),
        bytes: lambda each: types.is_binary(each) or types.is_large_binary(each),
    }
    return bool(tests[type(first)](kind))


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "double"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind.extension_name)
    return str(kind)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float | Decimal):
        plain = f"{Decimal(repr(value) if isinstance(value, float) else value):f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return str(value)


if __name__ == "__main__":
    main()
