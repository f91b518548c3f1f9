"""Airflow's SqlToS3Operator, without Airflow: pandas reads the query, boto3 uploads the bytes.

Not bounded in memory: the rows, the data frame and the Parquet bytes are held at once. Not exact:
decimals become floats or text, and dates text, as the operator's own type fixing has it.
"""

from __future__ import annotations

import io
from contextlib import closing

import boto3
import numpy as np
import pandas as pd
from _task import Task


def read(task: Task) -> pd.DataFrame:
    if task.source == "snowflake":
        import snowflake.connector

        # Not the session's own context manager: that ends with a COMMIT, and a read needs none.
        with closing(snowflake.connector.connect(**task.snowflake_options())) as session:
            return session.cursor().execute(task.query).fetch_pandas_all()
    if task.source == "duckdb":
        import duckdb

        with duckdb.connect(task.duckdb, read_only=True) as connection:
            return pd.read_sql(task.query, connection)
    import sqlalchemy

    uri = task.postgres.replace("postgresql://", "postgresql+psycopg2://", 1)
    with sqlalchemy.create_engine(uri).connect() as connection:
        return pd.read_sql(sqlalchemy.text(task.query), connection)


def fix_types(frame: pd.DataFrame) -> None:
    """Convert as the operator does before Parquet: objects to text, whole floats with NULLs to
    Int64.
    """
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:
            frame[name] = column.astype(str)
        elif column.dtype.kind == "f" and column.hasnans:
            present = column.dropna()
            if np.array_equal(present, present.astype("int64")):
                frame[name] = column.astype("Int64")


def main() -> None:
    task = Task.read("postgres", "duckdb", "snowflake")
    frame = read(task)
    fix_types(frame)
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    buffer.seek(0)
    boto3.client("s3", region_name=task.region).upload_fileobj(buffer, task.bucket, task.key)


if __name__ == "__main__":
    main()
