"""A DuckDB warehouse with TPC-H data: the orders, customers and parts of a shop."""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
from pathlib import Path

from extract_project.errors import EmbeddedError

SCHEMA = "shop"
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


def make_warehouse(path: Path, scale: float) -> int:
    """Create the database unless it exists; returns the number of order lines.

    At scale 1 there are 6 million order lines, in a file of about 260 MB.
    """
    import duckdb

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="extract-tpch-") as directory:
            _generate(Path(directory), scale)
            unfinished = path.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            with duckdb.connect(str(unfinished)) as connection:
                connection.execute(f"create schema {SCHEMA}")
                for table in TABLES:
                    connection.execute(
                        f"create table {SCHEMA}.{table} as from '{directory}/{table}.parquet'"
                    )
            unfinished.rename(path)
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(f"select count(*) from {SCHEMA}.lineitem").fetchone()
    return int(found[0]) if found else 0


def _generate(directory: Path, scale: float) -> None:
    generator = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    command = [str(generator), "parquet", "-s", str(scale), "--output-dir", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmbeddedError(
            f"tpchgen-cli failed with code {done.returncode}: {done.stderr.strip()}"
        )
