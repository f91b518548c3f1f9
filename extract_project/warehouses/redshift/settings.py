"""`EXTRACT_WAREHOUSES__<NAME>__…` of Amazon Redshift."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from extract_project.prefetch import in_thread
from extract_project.schema.choices import DEFAULTS, Integers, Numeric, TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.redshift import Redshift
from extract_project.warehouses.libpq.sign_in import NETWORK, Options, log_in, sign_in
from extract_project.warehouses.protocol import FunctionNames, Label
from extract_project.warehouses.redshift.errors import explained, meaning
from extract_project.warehouses.redshift.fixed import fix
from extract_project.warehouses.redshift.session import RedshiftSession
from extract_project.warehouses.redshift.writing import Writing, WritingSession

_CONNECT_SECONDS = 60.0
"""A workgroup of Serverless that has been idle takes its time."""
_APPLICATION_NAME = 63
_QUERY_GROUP = 300
_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a statement by itself."""
_DIGEST = "authentication method 13"
_DIGEST_HINT = (
    "the user's password is kept as SHA-256, for which only Amazon's own drivers have a way to "
    "sign in: run 'alter user … password 'md5…'', or use CLUSTER or WORKGROUP instead of PASSWORD"
)


class RedshiftWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of Amazon Redshift.

    One way to sign in: `USER` and `PASSWORD`; or, without a secret, the role of the task: `CLUSTER`
    of a provisioned cluster, `WORKGROUP` of Redshift Serverless.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["redshift"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = Redshift()
    host: str = Field(
        description="The endpoint, as in `shop.abc123.eu-west-1.redshift.amazonaws.com`."
    )
    port: int = Field(5439, description="Its port.")
    database: str = Field("dev", description="Name of the database.")
    user: str | None = Field(
        None,
        description="User that signs in with `PASSWORD`. Grant it only `select` on what is "
        "extracted.",
    )
    password: SecretStr | None = Field(None, description="The password of that user.")
    cluster: str | None = Field(
        None,
        description="Identifier of a provisioned cluster, to sign in with the role of the task.",
    )
    workgroup: str | None = Field(
        None,
        description="Name of a workgroup of Redshift Serverless, to sign in with the role of the "
        "task.",
    )
    region: str | None = Field(
        None,
        description="Region of `CLUSTER` or `WORKGROUP`. Default: the SDK's",
    )
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = Field(
        "verify-full", description="How the connection is encrypted, in libpq's words."
    )
    sslrootcert: str | None = Field(
        None,
        description="File with the certificate authority that is trusted. Default: those that "
        "AWS's SDK trusts",
    )
    query_group: str | None = Field(
        None,
        max_length=_QUERY_GROUP,
        pattern=r"^[^\\]+$",
        description="Query group of the statements, by which workload management may choose a "
        "queue. Default: the extract and the run",
    )
    unload_role: str | None = Field(
        None,
        pattern=r"^(default|arn:[A-Za-z0-9:/_+=,.@-]+)$",
        description="The role with which Redshift may write below EXTRACT_DATA: its ARN, several "
        "for a chain, or `default`. Needed for `engine: unload` and `auto`.",
    )
    unload_region: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+$",
        description="Region of the bucket of EXTRACT_DATA, if it is not the cluster's.",
    )
    unload_from_rows: int = Field(
        100_000_000,
        ge=0,
        description="With `engine: auto`, Redshift writes results of this many rows or more.",
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    numeric: Numeric = DEFAULTS.numeric

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, numeric=self.numeric)

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways = {
            "USER and PASSWORD": self.user is not None or self.password is not None,
            "CLUSTER": self.cluster is not None,
            "WORKGROUP": self.workgroup is not None,
        }
        chosen = [way for way, is_set in ways.items() if is_set]
        if len(chosen) != 1:
            found = f"{' and '.join(chosen)} are set" if chosen else "nothing is set"
            raise ValueError(f"to sign in, set one of {', '.join(ways)}: {found}")
        if (self.user is None) != (self.password is None):
            missing = "USER" if self.user is None else "PASSWORD"
            raise ValueError(f"USER and PASSWORD belong together: {missing} is not set")
        return self

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[RedshiftSession]:
        """Sign in; raises WarehouseError with the server's reason and the settings to check."""
        import psycopg

        from extract_project.warehouses.redshift.streaming import StreamingConnection

        seconds = min(_CONNECT_SECONDS, max(1.0, timeout.total_seconds()))
        user, password = in_thread("credentials", self._login)
        options = self._options(label, user, password)
        server = log_in("redshift", options, seconds, meaning, _hint)
        connection = StreamingConnection(server)
        try:
            limit = timeout + _LATE
            try:
                held = fix(connection, self.query_group or _group(label), limit)
            except psycopg.Error as error:
                raise explained(error) from None
            own = held < int(limit.total_seconds())
            writing = Writing(self.unload_role, self.unload_region, self.unload_from_rows)
            yield WritingSession(
                connection,
                lambda: sign_in(options, seconds, meaning),
                held,
                is_own_limit=own,
                writing=writing,
            )
        finally:
            connection.close()

    def _login(self) -> tuple[str, str]:
        if self.password is not None:
            return self.user or "", self.password.get_secret_value()
        from extract_project.warehouses.redshift.aws import temporary_login

        return temporary_login(self.database, self.cluster, self.workgroup, self.region)

    def _options(self, label: Label, user: str, password: str) -> Options:
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": user,
            "password": password,
            "sslmode": self.sslmode,
            "sslrootcert": self._authorities(),
            "gssencmode": "disable",
            "client_encoding": "UTF8",  # Redshift calls it UNICODE, which is no codec of Python's
            "application_name": f"extract {label.extract} {label.run_id}"[:_APPLICATION_NAME],
            **NETWORK,
        }

    def _authorities(self) -> str | None:
        if self.sslrootcert is not None or not self.sslmode.startswith("verify"):
            return self.sslrootcert
        from extract_project.warehouses.redshift.aws import authorities

        return authorities()


def _group(label: Label) -> str:
    return f"extract {label.extract} {label.run_id}"[:_QUERY_GROUP]


def _hint(reason: str) -> str:
    return f": {_DIGEST_HINT}" if _DIGEST in reason else ""
