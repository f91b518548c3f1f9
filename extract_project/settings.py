"""All settings, read from the environment once, as typed objects. No other module reads it.

The description of each field explains its variable; docs/settings.md is generated from them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as BrokenJson

from extract_project.alerts.settings import AlertSettings
from extract_project.errors import SettingsError
from extract_project.eventbridge.settings import SchedulerSettings
from extract_project.fargate import FargateSettings
from extract_project.problem import suggestion
from extract_project.store.destination import DATA
from extract_project.store.folder import Location
from extract_project.store.settings import DestinationSettings, StoreLocation, fault_of_destinations
from extract_project.store.stores import Folders, Stores
from extract_project.warehouses import BUILT_IN, WarehouseSettings, warehouse_fields
from extract_project.warehouses.configured import NO_TYPE, WRONG_TYPE

if TYPE_CHECKING:
    from extract_project.manifest.parsing import Dialects

PREFIX = "EXTRACT_"
LOCATION = "extract_project"
"""Name of this project's code location. In another Dagster project its own name applies."""
_TYPED = 2
"""Index of a warehouse's type in the location of a pydantic error: after `warehouses` and name."""

_ALMOST = 0.8
"""How similar a variable has to be to a setting to be taken for a misspelt one, from 0 to 1."""

Metrics = Literal["emf", "emf-alarms", "otlp"]
"""Where metrics go; each has its exporter in `telemetry/exporting.py`."""

_PLACED = "placed"
_HOW_TO_NEST = "expected one variable per field, {}__…, or one JSON object with all fields"


def _listed(value: Any) -> Any:
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else value


class ExecutedRun(BaseModel):
    """The job that a run executes, and the paths of its extracts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    extracts: tuple[str, ...]


class Settings(BaseSettings):
    """The settings of a deployment: SQL files, published data, warehouses, alerts."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a task definition often cannot omit a variable
        frozen=True,
        extra="ignore",
    )

    manifest: StoreLocation = Field(description="where the SQL files are, as s3://bucket/prefix")
    data: StoreLocation = Field(
        description="where extracts are published, as s3://bucket/prefix; the bucket must have "
        "versioning on"
    )
    state: StoreLocation | None = Field(
        None,
        description="where snapshots, receipts and pins are kept, as s3://bucket/prefix. "
        "Default: `<EXTRACT_DATA>/.extract`",
    )
    warehouse: str = Field(
        "",
        description="name of the default warehouse; needed when more than one is configured. "
        "Default: the only one",
    )
    warehouses: dict[str, WarehouseSettings] = Field(
        min_length=1,
        description="at least one warehouse, under a name of your choice, as in "
        "EXTRACT_WAREHOUSES__SHOP__TYPE=duckdb and EXTRACT_WAREHOUSES__SHOP__PATH=/data/shop.duckdb"
        f" (types: {', '.join(BUILT_IN)}); docs/settings.md lists the fields of each",
    )
    kms_key_id: str | None = Field(
        None,
        description="KMS key (SSE-KMS) for everything that is written to S3: results, receipts, "
        "snapshots, pins, pushed SQL. Default: the bucket's own encryption",
    )
    destinations: dict[str, DestinationSettings] = Field(
        {},
        description="further places where extracts are published, under names of your choice, as "
        "in EXTRACT_DESTINATIONS__CRM__URL=s3://crm/inbound; docs/settings.md lists the fields",
    )
    glue_database: str | None = Field(
        None,
        description="database of AWS Glue that gets a table for each published extract. "
        "Default: no tables",
    )
    dagster_url: str = Field(
        "http://127.0.0.1:3000",
        description="address of the Dagster webserver: the command line launches runs through it, "
        "and the code server asks it for a reload",
    )
    location: str = Field(
        LOCATION,
        description="the code location that the command line uses. Where it is not set, commands "
        "for a running deployment use all that have extracts; see docs/locations.md",
    )
    manifest_seconds: float = Field(
        2.5,
        ge=2.5,
        description="how often the manifest is listed to see changes, in seconds; each listing is "
        "a request of S3 for each 1,000 files. `extract push` has changes loaded at once",
    )
    upstream_manifests: Annotated[tuple[StoreLocation, ...], NoDecode, BeforeValidator(_listed)] = (
        Field(
            (),
            description="manifests of other code locations, whose extracts `depends_on` may name, "
            "as in s3://acme-sql/sales,s3://acme-sql/hr; see docs/locations.md. Default: none",
        )
    )
    metrics: Annotated[tuple[Metrics, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (),
        description="where metrics of runs and of the deployment are sent, as in emf,otlp: "
        "`emf` is CloudWatch's embedded metric format in the log, `emf-alarms` only those metrics "
        "of it that the AWS stack's alarms read, `otlp` OpenTelemetry over HTTP to "
        "OTEL_EXPORTER_OTLP_ENDPOINT, with extract-project[otlp]. Default: nowhere",
    )
    alerts: AlertSettings = AlertSettings()
    fargate: FargateSettings = FargateSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    run: ExecutedRun | None = Field(
        None,
        description="set by the launcher on ECS: the job and the extracts that a task executes, as "
        "JSON",
    )
    ecs_metadata_uri: str | None = Field(
        None,
        validation_alias="ECS_CONTAINER_METADATA_URI_V4",
        description="set by ECS: the address of a task's metadata",
    )

    dagster_home: Path | None = Field(
        None,
        validation_alias="DAGSTER_HOME",
        description="where Dagster's `dagster.yaml` is; `extract materialize` reports to it",
    )

    @model_validator(mode="after")
    def _default_warehouse_exists(self) -> Self:
        if "" in self.warehouses:
            raise _at(
                "a warehouse has no name: expected one, as in EXTRACT_WAREHOUSES__SHOP__TYPE",
                *("warehouses", "", "…"),
            )
        names = ", ".join(sorted(self.warehouses))
        if self.warehouse and self.warehouse.lower() not in self.warehouses:
            raise _at(f"{self.warehouse!r} is not configured: expected one of {names}", "warehouse")
        if not self.warehouse and len(self.warehouses) > 1:
            raise _at(f"not set: choose the default one of {names}", "warehouse")
        return self

    @model_validator(mode="after")
    def _destinations_are_apart(self) -> Self:
        fault = fault_of_destinations(self.locations, self.destinations)
        if fault:
            raise _at(fault.message, "destinations", *fault.path)
        return self

    @model_validator(mode="after")
    def _upstream_manifests_are_apart(self) -> Self:
        for each in self.upstream_manifests:
            if each.overlaps(self.manifest):
                raise _at(
                    f"{each} and EXTRACT_MANIFEST, {self.manifest}, overlap: expected manifests of "
                    f"other code locations",
                    "upstream_manifests",
                )
        return self

    @property
    def locations(self) -> Mapping[str, Location]:
        """Where each destination is, the default one first."""
        return {**{name: each.url for name, each in self.destinations.items()}, DATA: self.data}

    @property
    def location_is_given(self) -> bool:
        """Whether one code location was chosen, rather than all that have extracts."""
        return "location" in self.model_fields_set

    @property
    def default_warehouse(self) -> str:
        """The name of the warehouse for extracts whose header names none."""
        return self.warehouse.lower() or next(iter(self.warehouses))

    @property
    def dialects(self) -> Dialects:
        """The SQL dialect of each warehouse."""
        # Imported here, since the commands that ask a deployment parse nothing.
        from extract_project.manifest.parsing import Dialects

        kinds = {name: warehouse.dialect for name, warehouse in self.warehouses.items()}
        forbidden = {name: each.forbidden_functions for name, each in self.warehouses.items()}
        types = {name: warehouse.types for name, warehouse in self.warehouses.items()}
        return Dialects(
            kinds,
            self.default_warehouse,
            forbidden=forbidden,
            types=types,
            destinations=frozenset(self.locations),
        )

    def connect(self) -> Folders:
        """The folders of this deployment; writes are encrypted with EXTRACT_KMS_KEY_ID."""
        stores = Stores(kms_key_id=self.kms_key_id)
        return Folders(
            stores,
            stores.folder(self.manifest),
            stores.folder(self.data),
            stores.folder(self.state_location),
            {
                name: cache(partial(each.open, self.kms_key_id))
                for name, each in self.destinations.items()
            },
            tuple(each.uri for each in self.upstream_manifests),
        )

    @property
    def state_location(self) -> Location:
        return self.state or self.data / ".extract"


_GROUPS: dict[str, type[BaseModel]] = {
    "alerts": AlertSettings,
    "fargate": FargateSettings,
    "scheduler": SchedulerSettings,
}


def load_settings(given: Mapping[str, Any] | None = None) -> Settings:
    """Settings from `given`, and from the environment for what `given` does not set.

    Raises SettingsError with one line per error. Each line begins with the environment variable, or
    with the key in `given`.
    """
    misspelt = _misspelt(os.environ)
    if misspelt:
        raise SettingsError("\n".join(misspelt))
    try:
        return Settings(**(given or {}))
    except BrokenJson as error:  # its text names the field and quotes nothing of the value
        field = re.search(r'field "(\w+)"', str(error))
        variable = PREFIX + (field.group(1).upper() if field else "…")
        raise SettingsError(
            f"{variable} is not valid JSON: {_HOW_TO_NEST.format(variable)}"
        ) from None
    except ValidationError as error:
        lines = [_explain(item, given or {}) for item in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _misspelt(environment: Iterable[str]) -> list[str]:
    """A line for each variable that is almost a setting: ignored, it would do nothing unseen.

    Others that begin with EXTRACT_ may be another program's.
    """
    known = [name.upper() for name in Settings.model_fields]
    found = []
    for variable in sorted(environment):
        root, nested, rest = variable.upper().removeprefix(PREFIX).partition("__")
        if not variable.upper().startswith(PREFIX) or root in known:
            continue
        for close in difflib.get_close_matches(root, known, n=1, cutoff=_ALMOST):
            meant = f"{PREFIX}{close}{nested}{rest}"
            found.append(f"{variable} is not a setting: did you mean {meant}?")
    return found


def _at(message: str, *path: str) -> PydanticCustomError:
    """The error that the validator of all settings raises about one of them."""
    return PydanticCustomError(_PLACED, "{error}", {"error": message, "path": path})


def _named(path: Sequence[str], given: Mapping[str, Any]) -> str:
    """A setting as its author wrote it: `warehouses.shop.path`, or the environment variable."""
    variable = (PREFIX + "__".join(path)).upper()
    return ".".join(path) if path and path[0] in given else variable


def _meaning(path: Sequence[str], kind: str) -> str:
    """The purpose of a missing variable, for its error."""
    if path[0] == "destinations":
        return DestinationSettings.model_fields[path[-1]].description or "a value"
    if len(path) > 1:
        return f"the {path[-1].replace('_', ' ')} of this {kind or path[0]} warehouse"
    return Settings.model_fields[path[0]].description or "a value"


def _explain(item: Any, given: Mapping[str, Any]) -> str:
    """One line for one error of pydantic's, beginning with the setting that it is about."""
    path = [str(part) for part in item["loc"] if part != "function-after"]
    kind = ""
    if path[:1] == ["warehouses"] and len(path) > _TYPED:
        kind = path.pop(_TYPED)  # the type, which is not part of the variable's name
    error, context = item["type"], item.get("ctx", {})
    if error == _PLACED:
        return f"{_named(context['path'], given)}: {context['error']}"
    variable, kind_of = _named(path, given), _named([*path, "type"], given)
    if error == "missing":
        return f"{variable} is not set: expected {_meaning(path, kind)}"
    if error == "extra_forbidden" and path[0] in _GROUPS:
        hint = suggestion(path[-1], _GROUPS[path[0]].model_fields)
        return f"{variable} is not a setting of {path[0]}: {hint}"
    if error == "extra_forbidden" and path[0] == "destinations":
        hint = suggestion(path[-1], DestinationSettings.model_fields)
        return f"{variable} is not a setting of a destination: {hint}"
    if error == "extra_forbidden":
        known = [each.lower() for each in warehouse_fields(kind)]
        hint = suggestion(path[-1], known)
        return f"{variable} is not a setting of a {kind} warehouse: {hint}"
    if error == WRONG_TYPE:
        return f"{kind_of} is {context['kind']!r}: {context['reason']}"
    if error == NO_TYPE:
        return f"{kind_of} is not set: {item['msg']}"
    if error in ("dict_type", "model_type", "model_attributes_type"):
        if path[0] in given:
            return f"{variable} is not a mapping: expected one of names to values"
        return f"{variable} is not valid JSON for an object: {_HOW_TO_NEST.format(variable)}"
    message = item["msg"].removeprefix("Value error, ")
    return message if message.startswith(PREFIX) else f"{variable}: {message}"
