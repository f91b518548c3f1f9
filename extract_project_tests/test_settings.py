"""The environment: what is missing or impossible is named by its variable."""

from __future__ import annotations

import os

import pytest

from extract_project.errors import SettingsError
from extract_project.fargate import FargateSettings
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.parsing import parse_extract
from extract_project.prices import X86
from extract_project.schema.choices import TypeChoices
from extract_project.settings import Settings, load_settings
from extract_project.source import SqlSource
from extract_project.sql.snowflake import Snowflake
from extract_project.warehouses.snowflake import SnowflakeWarehouse

BASE = {"EXTRACT_MANIFEST": "s3://sql/prefix", "EXTRACT_DATA": "s3://data"}


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("EXTRACT_"):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **fields: str) -> Settings:
    """With one warehouse, `snow`, that has these fields."""
    warehouse = {f"EXTRACT_WAREHOUSES__SNOW__{name}": value for name, value in fields.items()}
    for name, value in {**BASE, **warehouse}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_a_warehouse_is_read_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch, TYPE="snowflake", ACCOUNT="acme-prod", SCHEMA="shop", PRIVATE_KEY="pem"
    )
    warehouse = settings.warehouses["snow"]
    assert isinstance(warehouse, SnowflakeWarehouse)
    assert (warehouse.account, warehouse.schema_) == ("acme-prod", "shop")
    assert isinstance(settings.dialects.of("snow"), Snowflake)
    assert "pem" not in repr(settings)


def test_g7_a_warehouse_names_the_functions_that_no_extract_may_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(monkeypatch, TYPE="duckdb", FORBIDDEN_FUNCTIONS="Acts, s.also_acts")
    content = b"select s.also_acts(1) as a"
    source = SqlSource(key="k", version_id="v", etag="e", sha256="s")
    parsed = parse_extract("a/b", content, source, settings.dialects)
    assert isinstance(parsed, InvalidExtract)
    assert "a/b.sql:1:8: 's.also_acts' is one of the warehouse's FORBIDDEN" in parsed.reasons[0]


def test_the_header_chooses_a_files_types_before_the_warehouse_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = SqlSource(key="k", version_id="v", etag="e", sha256="s")

    def chosen(yaml: str, **variables: str) -> Extract:
        settings = load(monkeypatch, TYPE="duckdb", **variables)
        content = f"/*---\n{yaml}\n---*/\nselect 1 as a".encode()
        parsed = parse_extract("a/b", content, source, settings.dialects)
        assert isinstance(parsed, Extract)
        assert parsed.query().types == parsed.types
        return parsed

    default = chosen("")
    assert default.types == TypeChoices(integers="int64", timestamps="us", numeric="decimal(38,9)")
    warehouse = chosen("", INTEGERS="decimal")
    assert warehouse.types == TypeChoices(integers="decimal")
    assert warehouse.code_version != default.code_version, "the data is another"
    # The variable stays set.
    both = chosen("integers: int64\ntimestamps: ns")
    assert both.types == TypeChoices(timestamps="ns")
    assert chosen("integers: int64").code_version == default.code_version
    assert chosen("integers: decimal").code_version == warehouse.code_version


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TYPE": "duckdb", "INTEGERS": "int32"}, "INTEGERS: Input should be 'int64' or 'decimal'"),
        ({"TYPE": "duckdb", "NUMERIC": "text"}, "NUMERIC is not a setting of a duckdb warehouse"),
        (
            {"TYPE": "postgres", "HOST": "h", "USER": "u", "TIMESTAMPS": "ns"},
            "TIMESTAMPS is not a setting of a postgres warehouse",
        ),
    ],
)
def test_a_choice_that_a_warehouse_does_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load(monkeypatch, **variables)


def test_a_price_that_is_set_replaces_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("EXTRACT_FARGATE__VCPU_HOUR", "0.05")
    prices = load(monkeypatch, TYPE="duckdb").fargate.prices
    assert (prices.vcpu_hour, prices.gb_hour) == (0.05, X86.gb_hour)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert FargateSettings().prices.vcpu_hour < X86.vcpu_hour
    monkeypatch.setenv("EXTRACT_FARGATE__VCPU_HOURS", "0.05")
    with pytest.raises(
        SettingsError, match=r"VCPU_HOURS is not a setting of fargate: did you mean"
    ):
        load_settings()


@pytest.mark.parametrize(
    "broken", ['{"a": hunter2', "hunter2", "[hunter2", '"hunter2"', "[1]", "3"]
)
@pytest.mark.parametrize(
    "variable", ["WAREHOUSES", "WAREHOUSES__SHOP", "ALERTS", "FARGATE", "WAREHOUSES__"]
)
def test_g11_what_is_no_json_object_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, variable: str, broken: str
) -> None:
    """`EXTRACT_WAREHOUSES` with broken JSON was a traceback."""
    monkeypatch.setenv(f"EXTRACT_{variable}", broken)
    with pytest.raises(SettingsError, match=rf"^EXTRACT_{variable} is not valid JSON") as raised:
        load(monkeypatch, **({} if "WAREHOUSES" in variable else {"TYPE": "duckdb"}))
    assert f"expected one variable per field, EXTRACT_{variable}__" in str(raised.value)
    assert "hunter2" not in f"{raised.value!r}{raised.value.__cause__!r}"


def test_all_warehouses_as_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_WAREHOUSES", '{"shop": {"type": "duckdb"}}')
    assert load(monkeypatch).default_warehouse == "shop"


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "KMS_KEY_ID", "ALERTS", "FARGATE__VCPU_HOUR", "WAREHOUSES"):
        monkeypatch.setenv(f"EXTRACT_{name}", "")
    settings = load(monkeypatch, TYPE="duckdb", PATH="")
    assert (settings.state, settings.kms_key_id, settings.fargate.vcpu_hour) == (None, None, None)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("EXTRACT_KMS_KEY", "EXTRACT_KMS_KEY_ID"),
        ("EXTRACT_METRIC", "EXTRACT_METRICS"),
        ("EXTRACT_ALERT__SLACK__URL", "EXTRACT_ALERTS__SLACK__URL"),
        ("extract_warehosues__shop__type", "EXTRACT_WAREHOUSES__SHOP__TYPE"),
    ],
)
def test_a_misspelt_variable_is_an_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, TYPE="duckdb")
    assert str(refused.value) == f"{variable} is not a setting: did you mean {meant}?"


def test_a_variable_of_another_program_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("EXTRACT_DATE", "EXTRACT_DATABASE", "EXTRACT_CODE_SERVER_HOST", "EXTRACTS"):
        monkeypatch.setenv(variable, "x")
    assert load(monkeypatch, TYPE="duckdb").warehouses


def test_a_warehouse_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_WAREHOUSES____TYPE", "duckdb")
    with pytest.raises(SettingsError, match=r"EXTRACT_WAREHOUSES____…: a warehouse has no name"):
        load(monkeypatch)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "EXTRACT_WAREHOUSES is not set"),
        ({"HOST": "h"}, "EXTRACT_WAREHOUSES__SNOW__TYPE is not set"),
        ({"TYPE": "snowflak"}, "EXTRACT_WAREHOUSES__SNOW__TYPE is 'snowflak': expected one of"),
        (
            {"TYPE": "postgres", "HOST": "h"},
            "EXTRACT_WAREHOUSES__SNOW__USER is not set: expected the user of this postgres",
        ),
        ({"TYPE": "snowflake"}, "EXTRACT_WAREHOUSES__SNOW: to sign in, set one of PRIVATE_KEY,"),
        (
            {"TYPE": "snowflake", "ACCOUNT": "a", "TOKEN": "hunter2", "PASSWORD": "hunter2"},
            "EXTRACT_WAREHOUSES__SNOW: .*TOKEN and PASSWORD are set",
        ),
        (
            {"TYPE": "snowflake", "ACOUNT": "a", "PASSWORD": "hunter2"},
            "EXTRACT_WAREHOUSES__SNOW__ACOUNT is not a setting of a snowflake warehouse: "
            "did you mean 'account'",
        ),
        (
            {"TYPE": "postgres", "HOST": "h", "USER": "u", "DIALECT": "redshift"},
            "EXTRACT_WAREHOUSES__SNOW__DIALECT is not a setting of a postgres warehouse",
        ),
        (
            {"TYPE": "snowflake", "ACCOUNT": "a", "PASSWORD": "hunter2", "PORT": "x"},
            "EXTRACT_WAREHOUSES__SNOW__PORT: ",
        ),
    ],
)
def test_g11_what_is_wrong_is_named_and_no_secret_is(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        load(monkeypatch, **fields)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"CRM__URL": "s3:/b"}, r"__CRM__URL: 's3:/b' is not a location: expected s3://"),
        ({"CRM__KMS_KEY_ID": "k"}, r"__CRM__URL is not set: expected where extracts are"),
        (
            {"CRM__URL": "s3://b", "CRM__ROLE": "r"},
            r"__CRM__ROLE is not a setting of a destination",
        ),
        ({"CRM__URL": "s3://b", "CRM__ROLE_ARN": "r"}, r"__CRM__ROLE_ARN: .*pattern"),
        ({"DATA__URL": "s3://b"}, r"__DATA: 'data' is the name of EXTRACT_DATA: choose another"),
        ({"CRM__URL": "s3://data/crm"}, r"__CRM__URL: s3://data/crm and s3://data of destination"),
        (
            {"CRM__URL": "s3://b/x", "BI__URL": "s3://b/x"},
            r"__CRM__URL: s3://b/x and s3://b/x of destination 'bi' overlap",
        ),
        ({"CRM": "[1]"}, r"__CRM is not valid JSON"),
    ],
)
def test_what_is_wrong_with_a_destination_is_named(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    for name, value in fields.items():
        monkeypatch.setenv(f"EXTRACT_DESTINATIONS__{name}", value)
    with pytest.raises(SettingsError, match=f"EXTRACT_DESTINATIONS{message}"):
        load(monkeypatch, TYPE="duckdb")


def test_a_destination_has_the_key_of_the_deployment_unless_it_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("A", "B", "C"):
        monkeypatch.setenv(f"EXTRACT_DESTINATIONS__{name}__URL", f"s3://{name.lower()}")
    monkeypatch.setenv("EXTRACT_DESTINATIONS__B__KMS_KEY_ID", "theirs")
    monkeypatch.setenv("EXTRACT_DESTINATIONS__C__KMS_KEY_ID", "bucket")
    settings = load(monkeypatch, TYPE="duckdb")
    keys = {name: each.encryption_key("ours") for name, each in settings.destinations.items()}
    assert keys == {"a": "ours", "b": "theirs", "c": None}
    assert list(settings.locations) == ["a", "b", "c", "data"]


def test_manifests_of_other_locations_are_a_list_and_none_is_this_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXTRACT_UPSTREAM_MANIFESTS", "s3://sql/sales, s3://sql/hr/")
    settings = load(monkeypatch, TYPE="duckdb")
    assert [str(each) for each in settings.upstream_manifests] == ["s3://sql/sales", "s3://sql/hr"]
    given = {"upstream_manifests": ["s3://sql/hr"]}
    assert load_settings(given).upstream_manifests == settings.upstream_manifests[1:]
    for wrong, message in (
        (f"{settings.manifest}/part", "overlap: expected manifests of other code locations"),
        ("sales", "'sales' is not a location: expected s3://"),
    ):
        monkeypatch.setenv("EXTRACT_UPSTREAM_MANIFESTS", wrong)
        with pytest.raises(SettingsError, match=f"^EXTRACT_UPSTREAM_MANIFESTS.*: .*{message}"):
            load(monkeypatch, TYPE="duckdb")
    monkeypatch.delenv("EXTRACT_UPSTREAM_MANIFESTS")
    monkeypatch.setenv("EXTRACT_UPSTREAM_MANIFEST", "s3://sql/hr")
    with pytest.raises(SettingsError, match="did you mean EXTRACT_UPSTREAM_MANIFESTS"):
        load(monkeypatch, TYPE="duckdb")
