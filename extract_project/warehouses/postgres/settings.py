"""`EXTRACT_WAREHOUSES__<NAME>__…` of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from extract_project.schema.choices import DEFAULTS, Integers, Numeric, TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.postgres import Postgres
from extract_project.warehouses.libpq.sign_in import NETWORK, Options, log_in
from extract_project.warehouses.postgres.errors import meaning
from extract_project.warehouses.postgres.session import PostgresSession
from extract_project.warehouses.protocol import FunctionNames, Label

_CONNECT_SECONDS = 30.0
_APPLICATION_NAME = 63
"""The server cuts longer names to this number of bytes."""
_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a statement by itself."""


class PostgresWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a PostgreSQL database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["postgres"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = Postgres()
    host: str = Field(description="Host name, or the directory of a Unix socket.")
    port: int = Field(5432, description="Port of the server.")
    database: str = Field("postgres", description="Name of the database.")
    user: str = Field(
        description="User that signs in. Grant it only `select` on what is extracted."
    )
    password: SecretStr | None = Field(None, description="The password of that user.")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer",
        description="How the connection is encrypted, in libpq's words. Across a network use "
        "`verify-full`.",
    )
    sslrootcert: str | None = Field(
        None, description="File with the certificate authority that `verify-full` trusts."
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    numeric: Numeric = DEFAULTS.numeric

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, numeric=self.numeric)

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[PostgresSession]:
        """Sign in; raises WarehouseError with the server's reason and the settings to check."""
        from extract_project.warehouses.postgres.copying import CopyConnection

        seconds = min(_CONNECT_SECONDS, max(1.0, timeout.total_seconds()))
        server = log_in("postgres", self._options(label), seconds, meaning)
        connection = CopyConnection(server)
        try:
            yield PostgresSession(connection, timeout + _LATE, self.database)
        finally:
            connection.close()

    def _options(self, label: Label) -> Options:
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password.get_secret_value() if self.password else None,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "client_encoding": "UTF8",
            "application_name": f"extract {label.extract} {label.run_id}"[:_APPLICATION_NAME],
            **NETWORK,
        }
