"""`EXTRACT_WAREHOUSES__<NAME>__…` of a DuckDB database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from extract_project.errors import Cause, WarehouseError
from extract_project.schema.choices import DEFAULTS, Integers, Timestamps, TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.duckdb import DuckDB
from extract_project.warehouses.duckdb.session import DuckDBSession
from extract_project.warehouses.protocol import FunctionNames, Label

_MEMORY = ":memory:"


class DuckDBWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a DuckDB database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["duckdb"] = Field(description="Which kind of warehouse this is.")
    dialect: ClassVar[Dialect] = DuckDB()
    path: str = Field(
        _MEMORY, description="The database file, opened read-only, or `:memory:` for an empty one."
    )
    memory_limit: str = Field(
        "96MB",
        description="Memory of DuckDB's own buffers; beyond it, DuckDB spills to disk. Sorting a "
        "large result needs 96 MB with two threads; a run that only filters is as fast with 48 MB, "
        "and takes 50 MiB less.",
    )
    threads: int = Field(2, ge=1, description="How many threads DuckDB uses.")
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    timestamps: Timestamps = DEFAULTS.timestamps

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, timestamps=self.timestamps)

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[DuckDBSession]:
        """Open the database; raises WarehouseError when the file is not there or not readable."""
        import duckdb

        with tempfile.TemporaryDirectory(prefix="extract-duckdb-") as spill:
            try:
                connection = duckdb.connect(
                    self.path,
                    read_only=self.path != _MEMORY,
                    config={
                        "memory_limit": self.memory_limit,
                        "threads": self.threads,
                        "temp_directory": spill,
                        "python_enable_replacements": False,
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                        "allow_community_extensions": False,
                    },
                )
            except duckdb.Error as error:
                locked = "lock" in str(error)
                raise WarehouseError(
                    f"duckdb database {self.path!r}: {error}",
                    cause=Cause.BUSY if locked else Cause.SETTINGS,
                    transient=locked,
                ) from error
            with connection:
                connection.execute("set enable_progress_bar = false")
                connection.execute("set timezone = 'UTC'")
                # Without it, 128-bit integers wrap around and times lose their zone.
                connection.execute("set arrow_lossless_conversion = true")
                connection.execute("set enable_external_access = false")
                connection.execute("set lock_configuration = true")
                session = DuckDBSession(connection, self.path)
                try:
                    yield session
                finally:
                    session.close()
