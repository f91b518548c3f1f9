"""The settings of a Databricks SQL warehouse, and signing in with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from extract_project.errors import WarehouseError
from extract_project.prefetch import in_thread
from extract_project.schema.choices import DEFAULTS, Integers, TypeChoices
from extract_project.sql.databricks import Databricks
from extract_project.sql.dialect import Dialect
from extract_project.warehouses.databricks.agreement import require_parameters
from extract_project.warehouses.databricks.client import Client
from extract_project.warehouses.databricks.errors import of_status
from extract_project.warehouses.databricks.oauth import machine_to_machine
from extract_project.warehouses.databricks.parameters import DECIDING, limit, query_tags
from extract_project.warehouses.databricks.session import DatabricksSession
from extract_project.warehouses.protocol import FunctionNames, Label
from extract_project.warehouses.rest import Http, Patience, Service, opener
from extract_project.warehouses.tokens import Tokens
from extract_project.warehouses.waiting import Cancellation

_LOGOUT_SECONDS = 10


class DatabricksWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a Databricks SQL warehouse.

    One way to sign in: `CLIENT_ID` and `CLIENT_SECRET` of a service principal (OAuth machine to
    machine), or `TOKEN`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["databricks"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = Databricks()
    patience: ClassVar[Patience] = Patience()
    host: str = Field(description="The workspace, as in `dbc-a1b2345c-d6e7.cloud.databricks.com`.")
    warehouse_id: str = Field(
        description="Id of the SQL warehouse: the end of its HTTP path, `/sql/1.0/warehouses/…`."
    )
    client_id: str | None = Field(
        None, description="Application id of the service principal that signs in."
    )
    client_secret: SecretStr | None = Field(
        None, description="An OAuth secret of the service principal."
    )
    token: SecretStr | None = Field(None, description="A personal access token to sign in with.")
    catalog: str | None = Field(
        None, description="Where names without a catalog are looked up. Default: the workspace's"
    )
    schema_: str | None = Field(
        None, alias="schema", description="Where names without a schema are looked up."
    )
    port: int | None = Field(None, description="Port of the workspace. Default: 443")
    protocol: Literal["http", "https"] = Field("https", description="Its protocol.")
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers)

    @property
    def address(self) -> str:
        given, _, host = self.host.rpartition("://")
        port = f":{self.port}" if self.port else ""
        return f"{given or self.protocol}://{host.rstrip('/')}{port}"

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways = {
            "TOKEN": self.token is not None,
            "CLIENT_ID and CLIENT_SECRET": self.client_id is not None
            or self.client_secret is not None,
        }
        chosen = [way for way, is_set in ways.items() if is_set]
        if len(chosen) != 1:
            found = "both are set" if chosen else "nothing is set"
            raise ValueError(f"to sign in, set {' or '.join(ways)}: {found}")
        if self.token is None and (self.client_id is None or self.client_secret is None):
            missing = "CLIENT_ID" if self.client_id is None else "CLIENT_SECRET"
            raise ValueError(f"CLIENT_ID and CLIENT_SECRET belong together: {missing} is not set")
        return self

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[DatabricksSession]:
        """Open a session; raises WarehouseError with the service's reason."""
        service = Service("databricks", self.address, "HOST", of_status)
        http = Http(service, self._tokens(), Cancellation(), self.patience)
        client = Client(http, self.warehouse_id.rpartition("/")[2])
        tags = query_tags(label)
        parameters = {**DECIDING, **limit(timeout)}
        session = client.open_session(parameters, self.catalog, self.schema_)
        try:
            require_parameters(client, session, tags, DECIDING)
            yield DatabricksSession(client, session, tags, self.catalog)
        finally:
            if "session_id" in session:
                _close(client, session["session_id"])

    def _tokens(self) -> Tokens:
        if self.token is not None:
            return Tokens(self.token.get_secret_value())
        assert self.client_id is not None
        assert self.client_secret is not None
        secret = self.client_secret.get_secret_value()
        return Tokens(fetch=machine_to_machine(opener(), self.address, self.client_id, secret))


def _close(client: Client, session_id: str) -> None:
    """Close the session. Without an answer, it ends by itself."""
    with suppress(TimeoutError, WarehouseError):
        in_thread("sign-out", lambda: client.detached().close_session(session_id), _LOGOUT_SECONDS)
