"""The contestants: this project, and the programs that people use today."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from extract_project.settings import ExecutedRun

PEERS = Path(__file__).parent / "peers"
_JOB = "__ASSET_JOB"
TITLES = {"snowflake": "Snowflake", "postgres": "Postgres", "duckdb": "DuckDB"}
SOURCES = tuple(TITLES)


@dataclass(frozen=True)
class Contestant:
    """A program that writes the result of a query to S3 as Parquet."""

    name: str
    script: str
    sources: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    saves: str = ""
    """What it leaves out; the page says so where it is faster than this project."""

    def command(self, peers_python: Path) -> list[str]:
        return [str(peers_python), str(PEERS / f"{self.script}.py")]


def ours(source: str) -> list[str]:
    """A whole run: Dagster, the manifest, the query, the audit, the publish."""
    dagster = Path(sysconfig.get_path("scripts")) / "dagster"
    selection = f'key:"bench/{source}"'
    return [
        *(sys.executable, str(dagster), "asset", "materialize"),
        *("--select", selection, "-m", "extract_project.definitions"),
    ]


def as_task(source: str) -> dict[str, str]:
    """What our launcher tells the task of such a run on ECS, which then imports less."""
    return {"EXTRACT_RUN": ExecutedRun(job=_JOB, extracts=(f"bench/{source}",)).model_dump_json()}


CONTESTANTS = (
    Contestant(
        "hand-written script (connector batches)",
        "connector_to_s3",
        ("snowflake",),
        saves="it keeps decimals as wide as they come, compresses less, and neither profiles nor "
        "fingerprints the rows",
    ),
    Contestant(
        "ADBC driver, hand-written",
        "adbc_to_s3",
        ("snowflake", "postgres"),
        saves="it fetches as far ahead as memory allows, compresses less, and neither profiles nor "
        "fingerprints the rows",
    ),
    Contestant("pandas, as Airflow's SqlToS3Operator", "pandas_to_s3", SOURCES),
    Contestant(
        "DuckDB COPY, the table itself",
        "duckdb_copy",
        ("postgres",),
        {"BENCH_DUCKDB_MODE": "attach"},
        "it reads pages of the table over two connections, which no query can be read by, and "
        "a numeric without a precision becomes a double",
    ),
    Contestant(
        "DuckDB COPY, the query",
        "duckdb_copy",
        ("postgres", "duckdb"),
        saves="rows go from its reader to its writer on the same thread, and nobody else sees "
        "them: no types of readers, no checks, no profile, no fingerprint",
    ),
    Contestant("ConnectorX, hand-written", "connectorx_to_s3", ("postgres",)),
    Contestant("dlt, ConnectorX backend", "dlt_to_s3", ("postgres",)),
    Contestant(
        "dlt, PyArrow backend", "dlt_to_s3", ("postgres",), {"BENCH_DLT_BACKEND": "pyarrow"}
    ),
    Contestant("awswrangler", "awswrangler_to_s3", ("postgres",)),
    Contestant("Sling", "sling_to_s3", ("postgres",)),
)
