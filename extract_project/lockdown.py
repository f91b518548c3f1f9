"""An embedded DuckDB that can read given Parquet files, and nothing else on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from extract_project.sql_quoting import literal

if TYPE_CHECKING:
    import duckdb


@contextmanager
def locked_down(
    tables: Mapping[str, Path], spill: Path, memory_limit: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with each file as a view of the given name; temporary files go to `spill`."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    files = {table: literal(str(path)) for table, path in tables.items()}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"set allowed_paths = [{', '.join(files.values())}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        for table, file in files.items():
            connection.execute(f"create view {table} as select * from read_parquet({file})")
        yield connection
