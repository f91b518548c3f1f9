"""The settings of a ClickHouse server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from extract_project.schema.choices import DEFAULTS, Integers, Timestamps, TypeChoices
from extract_project.sql.clickhouse import ClickHouse
from extract_project.sql.dialect import Dialect
from extract_project.warehouses.clickhouse.client import Client
from extract_project.warehouses.clickhouse.fixed import fixed_settings
from extract_project.warehouses.clickhouse.parameters import comment_of
from extract_project.warehouses.clickhouse.session import ClickHouseSession
from extract_project.warehouses.protocol import FunctionNames, Label
from extract_project.warehouses.rest import Patience

_PORTS = {"https": 8443, "http": 8123}


class ClickHouseWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a ClickHouse server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["clickhouse"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = ClickHouse()
    patience: ClassVar[Patience] = Patience()
    host: str = Field(description="The server, as in `abc123.eu-west-1.aws.clickhouse.cloud`.")
    port: int | None = Field(
        None, description="Port of its HTTP interface. Default: 8443, or 8123 with `http`"
    )
    protocol: Literal["http", "https"] = Field("https", description="Its protocol.")
    user: str = Field("default", description="The user that signs in.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    database: str | None = Field(
        None,
        description="Where names without a database are looked up. Default: the user's",
    )
    cluster: str | None = Field(
        None,
        description="Name of the cluster, if requests may reach any of its servers: a cancelled "
        "query is then looked for and killed on all of them. In ClickHouse Cloud: `default`",
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    timestamps: Timestamps = DEFAULTS.timestamps

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, timestamps=self.timestamps)

    @property
    def address(self) -> str:
        return f"{self.protocol}://{self.host}:{self.port or _PORTS[self.protocol]}"

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[ClickHouseSession]:
        """Open a session; its first statement shows whether the server accepts the user."""
        headers = {"X-ClickHouse-User": self.user}
        if self.password is not None:
            headers["X-ClickHouse-Key"] = self.password.get_secret_value()
        client = Client(self.address, headers, self.database, self.cluster, self.patience)
        settings = fixed_settings(timeout, comment_of(label))
        session = ClickHouseSession(client, settings, float(settings["max_execution_time"]))
        try:
            yield session
        finally:
            session.close()
