"""AWS SDK for pandas, used as in its tutorials: chunks of a query, appended to an S3 data set.

Not atomic: the first chunk replaces the old objects, the rest arrive one by one. Not bounded in
memory: pg8000 has fetched the whole result before the first chunk. Types come from each chunk's
values, so a decimal's precision may differ from object to object.
"""

from __future__ import annotations

import awswrangler as wr
import boto3
import pg8000
from _task import Task


def main() -> None:
    task = Task.read("postgres")
    parts = task.postgres_parts()
    socket = f"{parts.socket_dir}/.s.PGSQL.{parts.port}" if parts.socket_dir else None
    connection = pg8000.connect(
        user=parts.user,
        password=parts.password or None,
        host="localhost" if socket else parts.host,
        port=parts.port,
        database=parts.database,
        unix_sock=socket,
    )
    session = boto3.Session(region_name=task.region)
    chunks = wr.postgresql.read_sql_query(task.query, con=connection, chunksize=200_000)
    for number, chunk in enumerate(chunks):
        wr.s3.to_parquet(
            chunk,
            path=f"{task.target}/",
            dataset=True,
            mode="append" if number else "overwrite",
            boto3_session=session,
        )


if __name__ == "__main__":
    main()
