"""`EXTRACT_WAREHOUSES__<NAME>__…` of a MySQL or MariaDB server."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from extract_project.errors import Cause, WarehouseError
from extract_project.prefetch import in_thread
from extract_project.schema.choices import DEFAULTS, Integers, TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.mysql import MySQL
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.mysql.authentication import NotPossible
from extract_project.warehouses.mysql.connection import Connection
from extract_project.warehouses.mysql.errors import LOST, meaning
from extract_project.warehouses.mysql.server_error import ServerError
from extract_project.warehouses.mysql.session import MySQLSession
from extract_project.warehouses.mysql.sign_in import Login, TlsMode, sign_in
from extract_project.warehouses.mysql.transaction import Limit, fix_settings
from extract_project.warehouses.mysql.warnings import OnConversion
from extract_project.warehouses.mysql.wire import Lost
from extract_project.warehouses.protocol import FunctionNames, Label

_CONNECT_SECONDS = 30.0
_CANCEL_SECONDS = 5.0
_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a statement by itself."""
_SETTINGS = Meaning(Cause.SETTINGS)
_CERTIFICATE = (
    ": set SSLROOTCERT to the file of the authority that signed the server's certificate, and HOST "
    "to a name in it"
)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_./=:, -]")
"""Characters that could end the comment, or make it another kind of comment."""


class MySQLWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a MySQL or MariaDB server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["mysql"] = Field(description="The type of warehouse; also for MariaDB.")
    dialect: ClassVar[Dialect] = MySQL()
    host: str = Field(description="Host name, or the path of a Unix socket.")
    port: int = Field(3306, description="Port of the server.")
    database: str | None = Field(None, description="Where names without a database are looked up.")
    user: str = Field(
        description="User that signs in. Grant it only `select` on what is extracted."
    )
    password: SecretStr | None = Field(None, description="The password of that user.")
    sslmode: TlsMode = Field(
        "verify-full",
        description="How the connection is encrypted: `verify-full` checks the certificate and the "
        "name in it, `verify-ca` the certificate alone, `require` neither. A Unix socket needs "
        "none.",
    )
    sslrootcert: str | None = Field(
        None,
        description="File with the certificate authority to trust. Default: those of the machine",
    )
    on_conversion: OnConversion = Field(
        "refuse",
        description="What to do where the server only warns that a value did not fit and became "
        "another, such as 0 or NULL: `refuse` the result, or `log` it.",
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers)

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[MySQLSession]:
        """Sign in; raises WarehouseError with the server's reason and the settings to check."""
        seconds = min(_CONNECT_SECONDS, max(1.0, timeout.total_seconds()))
        login = self._login(label)

        def start() -> tuple[Connection, Limit]:
            signed_in = sign_in(login, seconds)
            same = replace(login, address=signed_in.address)
            connection = Connection(signed_in, lambda: sign_in(same, _CANCEL_SECONDS))
            return connection, fix_settings(connection, timeout + _LATE)

        try:
            # Host names are resolved in C, where signals do not arrive.
            connection, limit = in_thread("sign-in", start)
        except (OSError, Lost, ServerError, NotPossible) as error:
            raise self._refused(error) from None
        try:
            yield MySQLSession(connection, _comment(label), limit, self._where, self.on_conversion)
        finally:
            connection.close()

    def _login(self, label: Label) -> Login:
        return Login(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            tls=self.sslmode,
            authorities=self.sslrootcert,
            attributes={
                "program_name": "extract",
                "extract": label.extract,
                "run": label.run_id,
            },
        )

    @property
    def _where(self) -> str:
        place = self.host if self.host.startswith("/") else f"{self.host}:{self.port}"
        return f"mysql at {place}"

    def _refused(self, error: Exception) -> WarehouseError:
        if isinstance(error, ServerError):
            known = meaning(error.code)
            known = _SETTINGS if known.cause is Cause.SQL else known
        elif isinstance(error, NotPossible | ssl.SSLCertVerificationError):
            known = _SETTINGS
        else:
            known = LOST
        hint = _CERTIFICATE if isinstance(error, ssl.SSLCertVerificationError) else ""
        return WarehouseError(
            f"login to {self._where} failed for user {self.user!r}: {error}{hint}",
            cause=known.cause,
            transient=known.transient,
        )


def _comment(label: Label) -> str:
    """The comment before a statement, which the server's lists of running and slow queries show."""
    said = f"extract {label.extract}, run {label.run_id}"
    return f"/* {_NOT_PLAIN.sub('_', said)} */ "
