"""The short script around ADBC: record batches from Snowflake or Postgres, streamed to S3.

Bounded in memory, but nothing checks the result. Not exact for Postgres, whose driver hands
numeric over as text.
"""

from __future__ import annotations

from typing import Any

from _task import Task


def connect(task: Task) -> Any:
    if task.source == "postgres":
        import adbc_driver_postgresql.dbapi

        return adbc_driver_postgresql.dbapi.connect(task.postgres)
    import adbc_driver_snowflake.dbapi

    login = task.snowflake_options()
    # Autocommit spares the session an ALTER before the query, and a read needs no transaction.
    return adbc_driver_snowflake.dbapi.connect(
        autocommit=True,
        db_kwargs={
            "username": login["user"],
            "adbc.snowflake.sql.account": login["account"],
            "adbc.snowflake.sql.uri.host": login["host"],
            "adbc.snowflake.sql.uri.port": str(login["port"]),
            "adbc.snowflake.sql.uri.protocol": login["protocol"],
            "adbc.snowflake.sql.auth_type": "auth_pat",
            "adbc.snowflake.sql.client_option.auth_token": login["token"],
        },
    )


def main() -> None:
    task = Task.read("postgres", "snowflake")
    with connect(task) as connection, connection.cursor() as cursor:
        cursor.execute(task.query)
        reader = cursor.fetch_record_batch()
        task.write_parquet(reader.schema, reader)


if __name__ == "__main__":
    main()
