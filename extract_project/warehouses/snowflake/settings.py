"""The settings of a Snowflake account, and signing in with them.

The connector's calls swallow exceptions of signal handlers while they wait (measured on 5.2.0), so
signing in happens in a separate thread; queries run in the pipeline's thread.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from extract_project.prefetch import in_thread
from extract_project.process import without_pandas
from extract_project.schema.choices import DEFAULTS, Integers, Timestamps, TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.snowflake import Snowflake
from extract_project.warehouses.protocol import FunctionNames, Label
from extract_project.warehouses.snowflake.errors import explained
from extract_project.warehouses.snowflake.history import query_tag
from extract_project.warehouses.snowflake.parameters import session_parameters, take_over
from extract_project.warehouses.snowflake.session import SnowflakeSession

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_LOGIN_SECONDS = 60
_LOGOUT_SECONDS = 10
_ATTEMPT_SECONDS = 120
_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a statement by itself."""


class SnowflakeWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a Snowflake account.

    One way to sign in: `PRIVATE_KEY` or `PRIVATE_KEY_PATH`; `TOKEN` with `AUTHENTICATOR` `oauth` or
    `programmatic_access_token`; `WORKLOAD_IDENTITY_PROVIDER`, which needs no secret at all;
    `PASSWORD`; or `CONNECTION_NAME`, an entry of `connections.toml`, to which the other fields are
    added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["snowflake"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = Snowflake()
    account: str | None = Field(
        None,
        description="The account: `organization-account`, or `locator.region`. Needed unless "
        "`CONNECTION_NAME` is set.",
    )
    user: str | None = Field(
        None, description="User that signs in; not needed with workload identity."
    )
    role: str | None = Field(None, description="The role to use. Default: the user's own")
    warehouse: str | None = Field(
        None, description="The virtual warehouse that runs the queries. Default: the user's own"
    )
    database: str | None = Field(
        None, description="Where names without a database are looked up. Default: the user's own"
    )
    schema_: str | None = Field(
        None,
        alias="schema",
        description="Where names without a schema are looked up. Default: the user's own",
    )
    authenticator: str | None = Field(
        None, description="With `TOKEN`: `oauth` or `programmatic_access_token`."
    )
    private_key: SecretStr | None = Field(
        None, description="A key to sign in with, as PEM text; `\\n` may be used for a line end."
    )
    private_key_path: str | None = Field(None, description="The same key, in a file.")
    private_key_passphrase: SecretStr | None = Field(
        None, description="The passphrase of an encrypted key."
    )
    token: SecretStr | None = Field(None, description="A token to sign in with.")
    workload_identity_provider: Literal["AWS", "AZURE", "GCP", "OIDC"] | None = Field(
        None, description="Sign in with the identity of the task: no secret is needed."
    )
    password: SecretStr | None = Field(
        None, description="A password to sign in with. Snowflake refuses it for service users."
    )
    connection_name: str | None = Field(
        None, description="An entry of `connections.toml`, to which the other fields are added."
    )
    host: str | None = Field(
        None, description="Address of the service. Default: derived from the account"
    )
    port: int | None = Field(None, description="Its port. Default: 443")
    protocol: Literal["http", "https"] | None = Field(
        None, description="Its protocol. Default: https"
    )
    storage_integration: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$",
        description="The storage integration with which Snowflake may write below EXTRACT_DATA. "
        "Needed for `engine: unload` and `auto`.",
    )
    unload_from_rows: int = Field(
        100_000_000,
        ge=0,
        description="With `engine: auto`, Snowflake writes results of this many rows or more.",
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    timestamps: Timestamps = DEFAULTS.timestamps

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, timestamps=self.timestamps)

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways = ("private_key", "private_key_path", "token", "workload_identity_provider",
                "password", "connection_name")  # fmt: skip
        chosen = [name.upper() for name in ways if getattr(self, name) is not None]
        if len(chosen) != 1:
            found = f"{' and '.join(chosen)} are set" if chosen else "nothing is set"
            raise ValueError(f"to sign in, set one of {', '.join(ways).upper()}: {found}")
        if self.account is None and self.connection_name is None:
            raise ValueError("ACCOUNT is not set: expected organization-account")
        methods = {"oauth", "programmatic_access_token"}
        if self.token is not None and (self.authenticator or "").lower() not in methods:
            raise ValueError("TOKEN needs AUTHENTICATOR: oauth or programmatic_access_token")
        return self

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[SnowflakeSession]:
        """Sign in; raises WarehouseError with Snowflake's reason and the setting to check."""
        if self.password is not None:
            warnings.warn(
                "Snowflake no longer accepts only a PASSWORD for service users: use a key pair "
                "(PRIVATE_KEY) or, on AWS, WORKLOAD_IDENTITY_PROVIDER=AWS, which needs no secret",
                stacklevel=2,
            )
        connection = in_thread("sign-in", lambda: self._sign_in(label, timeout))
        try:
            yield SnowflakeSession(
                connection, self.account, self.storage_integration, self.unload_from_rows
            )
        finally:
            _close(connection)

    def _sign_in(self, label: Label, timeout: timedelta) -> SnowflakeConnection:
        connector = _connector()
        try:
            connection: SnowflakeConnection = connector.connect(**self._options(label))
        except connector.Error as error:
            where = self.account or f"connection {self.connection_name!r}"
            raise explained(error, f"snowflake {where}: sign-in failed for {self._who}") from None
        try:
            take_over(connection, timeout + _LATE)
        except BaseException:
            _close(connection)
            raise
        return connection

    @property
    def _who(self) -> str:
        return f"user {self.user!r}" if self.user else "us"

    def _options(self, label: Label) -> dict[str, Any]:
        """The connector's arguments; `connections.toml` may provide what is not set."""
        given = {
            "account": self.account,
            "user": self.user,
            "role": self.role,
            "warehouse": self.warehouse,
            "database": self.database,
            "schema": self.schema_,
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "connection_name": self.connection_name,
            "authenticator": self._authenticator,
            "private_key": _plain(self.private_key, line_ends=True),
            "private_key_file": self.private_key_path,
            "private_key_password": _plain(self.private_key_passphrase),
            "token": _plain(self.token),
            "password": _plain(self.password),
            "workload_identity_provider": self.workload_identity_provider,
        }
        return {key: value for key, value in given.items() if value is not None} | {
            "paramstyle": "qmark",
            "application": "extract_project",
            "login_timeout": _LOGIN_SECONDS,
            "retry_timeout": _ATTEMPT_SECONDS,
            "enable_server_session_keep_alive_auto_detection": False,
            "session_parameters": {
                **session_parameters(),
                "QUERY_TAG": query_tag(label),
                "CLIENT_TELEMETRY_ENABLED": "false",
            },
        }

    @property
    def _authenticator(self) -> str | None:
        if self.private_key is not None or self.private_key_path is not None:
            return "SNOWFLAKE_JWT"
        if self.workload_identity_provider is not None:
            return "WORKLOAD_IDENTITY"
        return self.authenticator.upper() if self.authenticator else None


def _close(connection: SnowflakeConnection) -> None:
    """Sign out. Without an answer, the session ends by itself."""
    with suppress(TimeoutError):
        in_thread("sign-out", lambda: connection.close(retry=False), _LOGOUT_SECONDS)


def _connector() -> ModuleType:
    with without_pandas():
        import snowflake.connector
    return snowflake.connector


def _plain(secret: SecretStr | None, line_ends: bool = False) -> str | None:
    if secret is None:
        return None
    text = secret.get_secret_value()
    return re.sub(r"\\n", "\n", text) if line_ends else text
