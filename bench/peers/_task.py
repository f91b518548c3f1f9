"""The task of every peer, which the benchmark passes in environment variables.

The AWS variables are read here because PyArrow's S3 client does not know an endpoint from the
environment, and boto3 reads AWS_DEFAULT_REGION rather than AWS_REGION.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Postgres:
    """The parts of a libpq URI, for drivers that do not parse one themselves."""

    user: str
    password: str
    host: str
    port: int
    database: str

    @property
    def socket_dir(self) -> str | None:
        return self.host if self.host.startswith("/") else None


@dataclass(frozen=True)
class Task:
    source: str
    query: str
    postgres: str
    duckdb: str
    snowflake: str
    bucket: str
    key: str
    endpoint: str | None
    access_key: str
    secret_key: str
    region: str

    @classmethod
    def read(cls, *sources: str) -> Task:
        """Read the task, and refuse a source that the peer does not support."""
        env = os.environ
        if env["BENCH_SOURCE"] not in sources:
            raise SystemExit(f"this peer reads {', '.join(sources)}; not {env['BENCH_SOURCE']}")
        target = urlsplit(env["BENCH_TARGET"])
        return cls(
            source=env["BENCH_SOURCE"],
            query=env["BENCH_QUERY"],
            postgres=env.get("BENCH_POSTGRES", ""),
            duckdb=env.get("BENCH_DUCKDB", ""),
            snowflake=env.get("BENCH_SNOWFLAKE", ""),
            bucket=target.netloc,
            key=target.path.lstrip("/"),
            endpoint=env.get("AWS_ENDPOINT_URL_S3") or None,
            access_key=env["AWS_ACCESS_KEY_ID"],
            secret_key=env["AWS_SECRET_ACCESS_KEY"],
            region=env.get("AWS_REGION", "us-east-1"),
        )

    @property
    def target(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def postgres_parts(self) -> Postgres:
        uri = urlsplit(self.postgres)
        query = parse_qs(uri.query)
        return Postgres(
            user=unquote(uri.username or "postgres"),
            password=unquote(uri.password or ""),
            host=query.get("host", [unquote(uri.hostname or "localhost")])[0],
            port=int(query.get("port", [str(uri.port or 5432)])[0]),
            database=unquote(uri.path.lstrip("/")) or "postgres",
        )

    def snowflake_options(self) -> dict[str, Any]:
        """Arguments of snowflake.connector.connect."""
        host, _, port = self.snowflake.partition(":")
        return {
            "account": "acme-prod",
            "user": "loader",
            "token": "token",
            "authenticator": "programmatic_access_token",
            "host": host,
            "port": int(port),
            "protocol": "http",
        }

    def write_parquet(self, schema: Any, batches: Iterable[Any]) -> None:
        """Stream batches into one Parquet object, a row group for each batch."""
        import pyarrow.parquet as pq
        from pyarrow.fs import S3FileSystem

        endpoint = urlsplit(self.endpoint or "")
        s3 = S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=self.region,
            endpoint_override=endpoint.netloc or None,
            scheme=endpoint.scheme or "https",
        )
        with (
            s3.open_output_stream(f"{self.bucket}/{self.key}") as sink,
            pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1) as writer,
        ):
            for batch in batches:
                writer.write(batch)
