"""One rig per warehouse: what the conformance tests need from it, in its own SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg

from extract_project.warehouses.bigquery import BigQueryWarehouse
from extract_project.warehouses.clickhouse import ClickHouseWarehouse
from extract_project.warehouses.conformance.rig import LABEL, Rig, TypeNames, read
from extract_project.warehouses.databricks import DatabricksWarehouse
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.redshift import RedshiftWarehouse
from extract_project.warehouses.rest import Patience
from extract_project.warehouses.snowflake import SnowflakeWarehouse
from extract_project_tests.support import bigquery_server, databricks_server, redshift_server
from extract_project_tests.support.bigquery_server import BigQueryServer
from extract_project_tests.support.bigquery_server.sign_in import workload
from extract_project_tests.support.chdb_server import ChdbServer
from extract_project_tests.support.databricks_server import DatabricksServer
from extract_project_tests.support.mariadb_server import MariaDB
from extract_project_tests.support.redshift_server import RedshiftServer, execute
from extract_project_tests.support.snowflake_server import Engine, Service, SnowflakeServer

__all__ = ["LABEL", "Rig", "read"]


def duckdb_rig(directory: Path) -> Rig:
    path = directory / "warehouse.duckdb"

    def execute(sql: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)

    execute("create schema shop; create table shop.orders as select 1 as id")
    return Rig(
        warehouse=DuckDBWarehouse(type="duckdb", path=str(path)),
        series=lambda limit: f"select n from range(1, {limit} + 1) t(n)",
        slow="select count(*) as n from range(100000000000) t(n) where n % 7 = 3",
        running=lambda: 0,  # it runs in this very process
        insert=lambda: execute("insert into shop.orders values (2)"),
        unreachable=DuckDBWarehouse(type="duckdb", path=str(directory / "nothing.duckdb")),
        unreachable_name="nothing.duckdb",
        runs_here=True,
        knows_no_tables=True,
    )


def postgres_rig(warehouse: PostgresWarehouse) -> Rig:
    def execute(sql: str) -> Any:
        with psycopg.connect(host=warehouse.host, user="postgres", autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchone() if cursor.description else None

    execute("create schema if not exists shop")
    execute("drop table if exists shop.orders")
    execute("create table shop.orders as select 1 as id")
    # Statistics of a table come with the first transaction that ends after it was written to.
    execute("select pg_stat_force_next_flush()")
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select n from generate_series(1, {limit}) n",
        slow="select count(*) as n from generate_series(1, 100000000000) n",
        running=lambda: int(
            execute(
                "select count(*) from pg_stat_activity "
                "where application_name like 'extract %' and state = 'active'"
            )[0]
        ),
        insert=lambda: execute("insert into shop.orders values (2)"),
        unreachable=warehouse.model_copy(update={"host": "/nowhere"}),
        unreachable_name="/nowhere",
        refused_dates=frozenset(("0000-01-01", "12022-01-01")),
    )


def redshift_rig(server: RedshiftServer) -> Rig:
    def run(sql: str) -> Any:
        return execute(server.postgres, sql)

    run("create schema if not exists shop; drop table if exists shop.orders")
    run("create table shop.orders as select 1 as id")
    queries = iter(range(1, 1000))

    def change() -> None:
        """Write, and record it, which this double does not do itself."""
        run(
            f"insert into shop.orders values (2); insert into redshift.sys_query_detail "
            f"values ('shop.orders'::regclass::oid::int, {next(queries)}, now(), 'insert')"
        )

    warehouse = redshift_warehouse(server)
    running = (
        "select count(*) from pg_stat_activity "
        "where application_name like 'extract %' and state = 'active'"
    )
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select n from generate_series(1, {limit}) n",
        slow="select count(*) as n from generate_series(1, 100000000000) n",
        running=lambda: int(run(running)[0]),
        insert=change,
        unreachable=warehouse.model_copy(update={"port": 1}),
        unreachable_name="redshift at 127.0.0.1:1",
        refused_dates=frozenset(("0000-01-01", "12022-01-01")),
    )


def redshift_warehouse(server: RedshiftServer, **fields: Any) -> RedshiftWarehouse:
    """Settings that find the server, and sign in with a password unless told otherwise."""
    sign_in = {"user": redshift_server.USER, "password": redshift_server.PASSWORD}
    return RedshiftWarehouse.model_validate(
        {
            "type": "redshift",
            "host": "127.0.0.1",
            "port": server.port,
            "sslmode": "disable",
            **(sign_in if "user" not in fields else {}),
            **fields,
        }
    )


def redshift_settings(server: RedshiftServer) -> dict[str, str]:
    """The same as environment variables: warehouse `red`, beside the default `shop`."""
    fields = {"type": "redshift", "host": "127.0.0.1", "port": str(server.port)}
    fields |= {"user": redshift_server.USER, "password": redshift_server.PASSWORD}
    return {
        "EXTRACT_WAREHOUSE": "shop",
        "EXTRACT_WAREHOUSES__RED__SSLMODE": "disable",
        **{f"EXTRACT_WAREHOUSES__RED__{name.upper()}": text for name, text in fields.items()},
    }


def mysql_rig(server: MariaDB) -> Rig:
    server.execute("drop table if exists shop.orders", "create table shop.orders as select 1 as id")
    warehouse = server.warehouse
    running = (
        "select count(*) from information_schema.processlist "
        "where user = 'reader' and command = 'Execute'"
    )
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select seq as n from seq_1_to_{limit}",
        slow="select count(*) as n from seq_1_to_100000000 a join seq_1_to_100000000 b "
        "on a.seq % 7 = b.seq % 3",
        running=lambda: int(server.execute(running)[0][0]),
        insert=lambda: server.execute("insert into shop.orders values (2)"),
        unreachable=warehouse.model_copy(update={"host": "/nowhere"}),
        unreachable_name="/nowhere",
        types=TypeNames("char", "double", "datetime(6)", None, bigint="signed"),
        has_booleans=False,
        refused_dates=frozenset(("12022-01-01",)),
    )


def snowflake_rig(server: SnowflakeServer) -> Rig:
    service = server.service
    changes = iter(range(1, 1000))

    def change() -> None:
        """Set the time of the change, which this double does not record itself."""
        service.engine.changed["shop.orders"] = 1_700_000_000_000_000_000 + next(changes)

    change()
    warehouse = snowflake_warehouse(server)
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select n from range(1, {limit} + 1) t(n)",
        slow="select count(*) as n from range(100000000000) t(n) where n % 7 = 3",
        running=lambda: sum(query.state == "RUNNING" for query in service.queries),
        insert=change,
        unreachable=warehouse.model_copy(update={"port": 1}),
        unreachable_name="acme-prod",
        has_pages=True,
    )


def snowflake_warehouse(server: SnowflakeServer, **fields: Any) -> SnowflakeWarehouse:
    """Settings that find the server; signs in with a token unless told otherwise."""
    sign_in = {"token": "pat", "authenticator": "programmatic_access_token"}
    return SnowflakeWarehouse.model_validate(
        {
            "type": "snowflake",
            "account": "acme-prod",
            "user": "loader",
            "host": server.host,
            "port": server.port,
            "protocol": "http",
            **(fields or sign_in),
        }
    )


def databricks_rig(server: DatabricksServer) -> Rig:
    service = server.service
    versions = iter(range(1, 1000))

    def change() -> None:
        """Add a version, which this double does not record itself."""
        now = datetime.now(UTC)
        history = service.engine.history.setdefault("shop.orders", [])
        history.insert(0, (next(versions), now, "WRITE"))

    change()
    warehouse = databricks_warehouse(server)
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select n from range(1, {limit} + 1) t(n)",
        slow="select count(*) as n from range(100000000000) t(n) where n % 7 = 3",
        running=lambda: sum(each.state == "RUNNING" for each in service.statements),
        insert=change,
        unreachable=warehouse.model_copy(update={"port": 1}),
        unreachable_name="databricks 127.0.0.1:1",
        has_pages=True,
        types=TypeNames("string", "double", "timestamp_ntz", "timestamp"),
    )


_IMPATIENCE = Patience(
    answer_seconds=5,
    stall_seconds=2,
    busy_seconds=1,
    tries=4,
    first_pause=0.02,
    start_seconds=0.5,
    abort_seconds=1,
    quiet_seconds=0.05,
)


class ImpatientDatabricks(DatabricksWarehouse):
    """One that tries again at once, and does not wait long."""

    patience: ClassVar[Patience] = _IMPATIENCE


def databricks_warehouse(server: DatabricksServer, **fields: Any) -> DatabricksWarehouse:
    """Settings that find the server; signs in with a token unless told otherwise."""
    return ImpatientDatabricks.model_validate(
        {
            "type": "databricks",
            "host": server.host,
            "port": server.port,
            "protocol": "http",
            "warehouse_id": "/sql/1.0/warehouses/abc123",
            **(fields or {"token": "pat"}),
        }
    )


def databricks_settings(server: DatabricksServer) -> dict[str, str]:
    """The same as environment variables: warehouse `bricks`, beside the default `shop`."""
    fields = databricks_warehouse(server).model_dump(exclude_none=True, exclude={"token"})
    return {
        "EXTRACT_WAREHOUSE": "shop",
        "EXTRACT_WAREHOUSES__BRICKS__TOKEN": "pat",
        **{
            f"EXTRACT_WAREHOUSES__BRICKS__{name.upper()}": str(value)
            for name, value in fields.items()
            if name != "forbidden_functions"
        },
    }


def databricks_service(chunk_rows: int = 10_000) -> databricks_server.Service:
    """A service that accepts `databricks_warehouse`, with a table `shop.orders`."""
    engine = databricks_server.Engine(chunk_rows=chunk_rows)
    engine.cursor().execute("create schema shop; create table shop.orders as select 1 as id")
    return databricks_server.Service(engine, tokens={"pat"}, clients={"principal": "hunter2"})


def bigquery_rig(server: BigQueryServer) -> Rig:
    service = server.service
    changes = iter(range(1, 1000))

    def change() -> None:
        """Set the time of the change, which this double does not record itself."""
        service.tables["shop.orders"] = {"lastModifiedTime": str(1_700_000_000_000 + next(changes))}

    change()
    warehouse = bigquery_warehouse(server)
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select n from unnest(generate_array(1, {limit})) as n",
        slow="select count(*) as n from unnest(generate_array(1, 100000000000)) as i "
        "where mod(i, 7) = 3",
        running=lambda: sum(each.state == "RUNNING" for each in service.jobs),
        insert=change,
        unreachable=warehouse.model_copy(update={"endpoint": "http://127.0.0.1:1"}),
        unreachable_name="bigquery 127.0.0.1:1",
        has_pages=True,
        refused_dates=frozenset(("0000-01-01", "12022-01-01")),
        has_wide_integers=False,
        fails="select cast(concat('x', cast(id as string)) as int64) as n from shop.orders",
        types=TypeNames(
            "string",
            "float64",
            "datetime",
            "timestamp",
            decimal="numeric",
            decimal_in_file="decimal128(38, 9)",
            integer="int64",
            digits="bignumeric",
        ),
    )


class ImpatientBigQuery(BigQueryWarehouse):
    """One that tries again at once, and does not wait long."""

    patience: ClassVar[Patience] = _IMPATIENCE


def bigquery_warehouse(server: BigQueryServer, **fields: Any) -> BigQueryWarehouse:
    """Settings that find the server; signs in by a federation unless told otherwise."""
    return ImpatientBigQuery.model_validate(
        {
            "type": "bigquery",
            "project": "acme",
            "endpoint": server.address,
            "storage_endpoint": server.storage_address,
            "credentials": workload(server.address),
            **fields,
        }
    )


def bigquery_settings(server: BigQueryServer) -> dict[str, str]:
    """The same as environment variables: warehouse `big`, beside the default `shop`."""
    fields = bigquery_warehouse(server)
    return {
        "EXTRACT_WAREHOUSE": "shop",
        "EXTRACT_WAREHOUSES__BIG__TYPE": fields.type,
        "EXTRACT_WAREHOUSES__BIG__PROJECT": fields.project,
        "EXTRACT_WAREHOUSES__BIG__ENDPOINT": fields.endpoint,
        "EXTRACT_WAREHOUSES__BIG__STORAGE_ENDPOINT": fields.storage_endpoint,
        "EXTRACT_WAREHOUSES__BIG__CREDENTIALS": workload(server.address),
    }


def bigquery_service(chunk_rows: int = 10_000) -> bigquery_server.Service:
    """A service that accepts `bigquery_warehouse`, with a table `shop.orders`."""
    orders = "create schema shop; create table shop.orders as select 1 as id"
    return bigquery_server.Service(bigquery_server.Engine(chunk_rows, orders))


def snowflake_settings(server: SnowflakeServer) -> dict[str, str]:
    """The same as environment variables: warehouse `snow`, beside the default `shop`."""
    fields = snowflake_warehouse(server).model_dump(exclude_none=True, exclude={"token", "dialect"})
    return {
        "EXTRACT_WAREHOUSE": "shop",
        "EXTRACT_WAREHOUSES__SNOW__TOKEN": "pat",
        **{f"EXTRACT_WAREHOUSES__SNOW__{name.upper()}": str(v) for name, v in fields.items()},
    }


def snowflake_service(chunk_rows: int = 10_000) -> Service:
    """A service that accepts `snowflake_warehouse`, with a table `shop.orders`."""
    service = Service(Engine(chunk_rows=chunk_rows), tokens={"pat"}, hold=0.05)
    service.engine.cursor().execute(
        "create schema shop; create table shop.orders as select 1 as id"
    )
    return service


def clickhouse_rig(server: ChdbServer) -> Rig:
    engine, service = server.service.engine, server.service
    engine.execute("create database if not exists shop")
    engine.execute("drop table if exists shop.orders")
    engine.execute("create table shop.orders engine = MergeTree order by id as select 1 as id")
    warehouse = clickhouse_warehouse(server)
    return Rig(
        warehouse=warehouse,
        series=lambda limit: f"select number + 1 as n from numbers({limit})",
        slow="select count() as n from numbers(100000000000000) where number % 7 = 3",
        running=lambda: len(service.running),
        insert=lambda: engine.execute("insert into shop.orders values (2)"),
        unreachable=warehouse.model_copy(update={"port": 1}),
        unreachable_name="clickhouse 127.0.0.1:1",
        refused_dates=frozenset(("0000-01-01", "12022-01-01")),
        types=TypeNames(
            text="Nullable(String)",
            double="Float64",
            timestamp="Nullable(DateTime64(6))",
            timestamp_in_file="timestamp[us, tz=UTC]",
            timestamptz="Nullable(DateTime64(6))",
            bigint="Nullable(Int64)",
            date="Nullable(Date32)",
            digits="Nullable(Decimal(38, 0))",
        ),
    )


class ImpatientClickHouse(ClickHouseWarehouse):
    """One that does not wait long."""

    patience: ClassVar[Patience] = Patience(
        answer_seconds=5, stall_seconds=1, start_seconds=0.5, abort_seconds=2
    )


def clickhouse_warehouse(server: ChdbServer, **fields: Any) -> ClickHouseWarehouse:
    """Settings that find the server, and sign in."""
    return ImpatientClickHouse.model_validate(
        {
            "type": "clickhouse",
            "host": "127.0.0.1",
            "port": server.port,
            "protocol": "http",
            "user": "reader",
            "password": "hunter2",
            **fields,
        }
    )


def clickhouse_settings(server: ChdbServer) -> dict[str, str]:
    """The same as environment variables: warehouse `click`, beside the default `shop`."""
    fields = {"type": "clickhouse", "host": "127.0.0.1", "port": str(server.port)}
    fields |= {"protocol": "http", "user": "reader", "password": "hunter2"}
    return {
        "EXTRACT_WAREHOUSE": "shop",
        **{f"EXTRACT_WAREHOUSES__CLICK__{name.upper()}": text for name, text in fields.items()},
    }
