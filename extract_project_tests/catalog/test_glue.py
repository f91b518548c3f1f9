"""Tables in Glue, by the API of moto, which checks nothing of their definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from extract_project.catalog.build import build_catalog
from extract_project.catalog.glue import keep_tables
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize


@pytest.fixture
def glue(aws: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", f"http://{host}:{port}")
    client = boto3.client("glue")
    client.create_database(DatabaseInput={"Name": "extracts"})
    yield client
    client.delete_database(Name="extracts")
    server.stop()


def keep(site: Site) -> tuple[int, list[str]]:
    catalog = build_catalog(site.folders, site.snapshot())
    written, refusals = keep_tables("extracts", catalog.extracts, catalog.data)
    return written, [f"{each.path}: {each.reason}" for each in refusals]


def columns(glue: Any, name: str = "sales_orders") -> list[tuple[str, str]]:
    table = glue.get_table(DatabaseName="extracts", Name=name)["Table"]
    return [(each["Name"], each["Type"]) for each in table["StorageDescriptor"]["Columns"]]


def test_a_table_is_made_and_follows_the_schema(site: Site, glue: Any) -> None:
    materialize(site, site.extract("sales/orders", "select 1::bigint as id"))
    site.put_sql("sales/unpublished", "select 1 as a")
    assert keep(site) == (1, [])
    assert columns(glue) == [("id", "bigint")]

    materialize(site, site.extract("sales/orders", "select 2::bigint as id"))
    assert keep(site) == (0, [])  # other data, the same columns

    materialize(site, site.extract("sales/orders", "select 2::bigint as id, 'x' as name"))
    assert keep(site) == (1, [])
    assert columns(glue) == [("id", "bigint"), ("name", "string")]


def test_a_table_says_where_its_object_is(site: Site, glue: Any) -> None:
    materialize(site, site.extract("sales/orders", "select 1 as id"))
    keep(site)

    table = glue.get_table(DatabaseName="extracts", Name="sales_orders")["Table"]

    place = f"{site.data.uri}/catalog/tables/sales/orders.parquet/"
    assert table["StorageDescriptor"]["Location"] == place
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["extract-path"] == "sales/orders"


def test_a_table_of_somebody_else_is_left_alone(site: Site, glue: Any) -> None:
    theirs = {"Name": "sales_orders", "Parameters": {"owner": "somebody"}}
    glue.create_table(DatabaseName="extracts", TableInput=theirs)
    materialize(site, site.extract("sales/orders", "select 1 as id"))
    materialize(site, site.extract("sales/other", "select 1 as id"))

    written, (refusal,) = keep(site)

    assert written == 1
    assert refusal.startswith(
        "sales/orders: the table extracts.sales_orders is not of this extract"
    )
    table = glue.get_table(DatabaseName="extracts", Name="sales_orders")["Table"]
    assert table["Parameters"] == {"owner": "somebody"}


def test_a_table_of_what_athena_can_no_longer_read_is_told(site: Site, glue: Any) -> None:
    """It would show older rows, or none, and say nothing."""
    materialize(site, site.extract("sales/orders", "select 1 as id"))
    assert keep(site) == (1, [])
    materialize(site, site.extract("sales/orders", "/*---\nformat: arrow\n---*/\nselect 2 as id"))
    written, (refusal,) = keep(site)
    assert written == 0
    assert refusal.startswith("sales/orders: the table extracts.sales_orders is of older versions")


def test_what_athena_cannot_read_has_no_table(site: Site, glue: Any) -> None:
    materialize(site, site.extract("sales/times", "select time '06:00' as at"))

    assert keep(site) == (0, [])


def test_a_database_that_is_not_there_is_told(
    site: Site, glue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialize(site, site.extract("sales/orders", "select 1 as id"))
    catalog = build_catalog(site.folders, site.snapshot())

    written, (refusal,) = keep_tables("missing", catalog.extracts, catalog.data)

    assert written == 0
    assert "missing" in refusal.reason
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:1")
    written, (refusal,) = keep_tables("extracts", catalog.extracts, catalog.data)
    assert written == 0
    assert "127.0.0.1:1" in refusal.reason
