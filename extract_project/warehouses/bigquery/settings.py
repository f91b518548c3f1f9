"""The settings of BigQuery, and signing in with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from extract_project.schema.choices import DEFAULTS, Integers, Numeric, TypeChoices
from extract_project.sql.bigquery import BigQuery
from extract_project.sql.dialect import Dialect
from extract_project.warehouses.bigquery.client import Client
from extract_project.warehouses.bigquery.errors import of_status
from extract_project.warehouses.bigquery.names import Names
from extract_project.warehouses.bigquery.parameters import labels
from extract_project.warehouses.bigquery.session import BigQuerySession
from extract_project.warehouses.protocol import Driver, FunctionNames, Label
from extract_project.warehouses.rest import Http, Patience, Service
from extract_project.warehouses.tokens import Tokens
from extract_project.warehouses.waiting import Cancellation

_LATE = timedelta(minutes=1)
"""How long after our own deadline BigQuery ends a job by itself."""


class BigQueryWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of BigQuery.

    To sign in, set `CREDENTIALS` or `CREDENTIALS_PATH`. With neither, Google's library looks for
    credentials in its usual places.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["bigquery"] = Field(description="The type of warehouse.")
    dialect: ClassVar[Dialect] = BigQuery()
    driver: ClassVar[Driver] = Driver("google.auth", "pip install 'extract-project[bigquery]'")
    patience: ClassVar[Patience] = Patience()
    project: str = Field(description="The project in which jobs run, and which pays for them.")
    dataset: str | None = Field(
        None,
        description="Where names without a dataset are looked up: `shop`, or `other-project.shop`.",
    )
    location: str | None = Field(
        None, description="Where jobs run, as in `EU`. Default: where the tables are"
    )
    credentials: SecretStr | None = Field(
        None,
        description="Google's JSON: the key of a service account, or the configuration of workload "
        "identity federation.",
    )
    credentials_path: Path | None = Field(None, description="Path of a file with the same JSON.")
    endpoint: str = Field(
        "https://bigquery.googleapis.com",
        description="Address of the API, for example that of a region.",
    )
    storage_endpoint: str = Field(
        "https://bigquerystorage.googleapis.com", description="Address of the Storage Read API."
    )
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    numeric: Numeric = DEFAULTS.numeric

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, numeric=self.numeric)

    @field_validator("credentials", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        """Accept credentials as a mapping, from settings that are JSON or YAML themselves."""
        return json.dumps(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _credentials_are_json(self) -> Self:
        if self.credentials and self.credentials_path:
            raise ValueError("CREDENTIALS and CREDENTIALS_PATH: both are set; expected one of them")
        if self.credentials and _json(self.credentials) is None:
            raise ValueError(
                "CREDENTIALS is not JSON: expected the content of Google's credentials file"
            )
        return self

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[BigQuerySession]:
        """Get a token; raises WarehouseError with Google's reason."""
        service = Service("bigquery", self.endpoint.rstrip("/"), "ENDPOINT", of_status)
        http = Http(service, self._tokens(), Cancellation(), self.patience)
        http.tokens.current(http.cancellation)
        yield BigQuerySession(
            Client(http, self.project),
            Names(self.project, self._default_dataset, self.location),
            self.storage_endpoint.rstrip("/"),
            labels(label),
            int((timeout + _LATE).total_seconds() * 1000),
        )

    @property
    def _default_dataset(self) -> tuple[str, str] | None:
        if self.dataset is None:
            return None
        project, _, dataset = self.dataset.rpartition(".")
        return project or self.project, dataset

    def _tokens(self) -> Tokens:
        from extract_project.warehouses.bigquery.sign_in import fetching, read_credentials

        given = _json(self.credentials) if self.credentials else None
        if self.credentials_path:
            given = read_credentials(self.credentials_path)
        return Tokens(fetch=fetching(given))


def _json(secret: SecretStr) -> Mapping[str, Any] | None:
    try:
        found = json.loads(secret.get_secret_value())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
