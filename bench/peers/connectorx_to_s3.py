"""The short script around ConnectorX: Arrow batches from Postgres, streamed by PyArrow to S3.

Not exact: ConnectorX makes every numeric a decimal(38, 10), and widens integers. One connection,
because splitting the query over several would read different snapshots.
"""

from __future__ import annotations

from urllib.parse import quote

import connectorx
from _task import Task


def main() -> None:
    task = Task.read("postgres")
    parts = task.postgres_parts()
    # Its URI parser wants a host before the path, so a socket directory goes there, quoted.
    login = quote(parts.user, safe="") + (
        f":{quote(parts.password, safe='')}" * bool(parts.password)
    )
    host = quote(parts.host, safe="")
    uri = f"postgresql://{login}@{host}:{parts.port}/{quote(parts.database, safe='')}"
    reader = connectorx.read_sql(
        uri, task.query, return_type="arrow_stream", protocol="binary", batch_size=100_000
    )
    task.write_parquet(reader.schema, reader)


if __name__ == "__main__":
    main()
