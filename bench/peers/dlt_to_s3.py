"""dlt's own sql_table source with the SQL as its query adapter, into its filesystem destination.

BENCH_DLT_BACKEND is connectorx (default, decimals become decimal(38, 10)) or pyarrow. Not atomic:
the load removes the old objects, then writes the new ones, with dlt's own state beside them.
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any
from urllib.parse import quote

import dlt
import sqlalchemy
from _task import Task
from dlt.destinations import filesystem
from dlt.sources.credentials import AwsCredentials
from dlt.sources.sql_database import sql_table


def connectorx_options(task: Task) -> dict[str, Any]:
    # Its URI parser wants a host before the path, so a socket directory goes there, quoted.
    parts = task.postgres_parts()
    login = quote(parts.user, safe="") + (
        f":{quote(parts.password, safe='')}" * bool(parts.password)
    )
    host = quote(parts.host, safe="")
    uri = f"postgresql://{login}@{host}:{parts.port}/{quote(parts.database, safe='')}"
    # A stream is what dlt advises for large tables; without it the result is one table in memory.
    return {"conn": uri, "return_type": "arrow_stream"}


def main() -> None:
    task = Task.read("postgres")
    backend: Any = os.environ.get("BENCH_DLT_BACKEND", "connectorx")
    uri = task.postgres.replace("postgresql://", "postgresql+psycopg2://", 1)
    # The source reflects a table's types, so it has to know the one that the query reads.
    table = re.search(r"\bfrom\s+(\w+)\.(\w+)", task.query, re.IGNORECASE)
    if table is None:
        raise SystemExit("the query reads no schema.table")
    rows = sql_table(
        credentials=sqlalchemy.create_engine(uri),
        schema=table[1],
        table=table[2],
        backend=backend,
        backend_kwargs=connectorx_options(task) if backend == "connectorx" else {},
        chunk_size=100_000,
        reflection_level="full_with_precision",
        query_adapter_callback=lambda *_: sqlalchemy.text(task.query),
    )
    credentials = AwsCredentials(
        aws_access_key_id=task.access_key,
        aws_secret_access_key=task.secret_key,
        endpoint_url=task.endpoint,
        region_name=task.region,
    )
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with tempfile.TemporaryDirectory() as directory:
        pipeline = dlt.pipeline(
            pipeline_name="bench",
            pipelines_dir=directory,
            dataset_name="bench",
            destination=filesystem(bucket_url=task.target, credentials=credentials),
        )
        pipeline.run(rows, loader_file_format="parquet", write_disposition="replace")


if __name__ == "__main__":
    main()
