"""DuckDB on its own: COPY (query) TO 's3://…' with httpfs, from a file or from attached Postgres.

Types are DuckDB's: a Postgres numeric without a precision becomes a double. Mode `attach` scans a
table over several connections; mode `query` lets Postgres run the SQL.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import duckdb
from _task import Task


def extension(package: str) -> str:
    """The extension's file in the package; LOAD by name would try to download it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed")
    return str(next((Path(spec.origin).parent / "extensions").rglob("*.duckdb_extension*")))


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def main() -> None:
    task = Task.read("postgres", "duckdb")
    duck = duckdb.connect()
    duck.execute(f"load {text(extension('duckdb_extension_httpfs'))}")
    secret = f"key_id {text(task.access_key)}, secret {text(task.secret_key)}"
    secret += f", region {text(task.region)}"
    if task.endpoint:
        scheme, _, host = task.endpoint.rstrip("/").partition("://")
        secret += f", endpoint {text(host)}, use_ssl {scheme == 'https'}, url_style 'path'"
    duck.execute(f"create secret (type s3, {secret})")
    query = task.query
    if task.source == "duckdb":
        duck.execute(f"attach {text(task.duckdb)} as s (read_only)")
        duck.execute("use s")
    else:
        duck.execute(f"load {text(extension('duckdb_extension_postgres_scanner'))}")
        duck.execute(f"attach {text(task.postgres)} as s (type postgres, read_only)")
        if os.environ.get("BENCH_DUCKDB_MODE", "query") == "attach":
            duck.execute("use s")
        else:
            query = f"select * from postgres_query('s', $bench${query}$bench$)"
    options = "format parquet, compression zstd, compression_level 1"
    duck.execute(f"copy ({query}) to {text(task.target)} ({options})")


if __name__ == "__main__":
    main()
