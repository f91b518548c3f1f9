"""Sling's command line, once: the query from Postgres, one Parquet object in S3.

Its Parquet writer is a DuckDB command line, which takes the rows over local HTTP and writes to S3.
Nothing checks the result, and Sling's own defaults decide the types.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb_cli
import duckdb_extension_aws
import duckdb_extension_httpfs
import duckdb_extension_json
import sling_linux_amd64
from _task import Task


def install_extensions(home: Path) -> None:
    """Put the packaged extensions where DuckDB looks, or it would download them."""
    for package in (duckdb_extension_aws, duckdb_extension_httpfs, duckdb_extension_json):
        root = Path(package.__path__[0]) / "extensions"
        for file in root.rglob("*.duckdb_extension"):
            version = file.relative_to(root).parts[0]
            link = home / ".duckdb" / "extensions" / version / "linux_amd64" / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)


def main() -> None:
    task = Task.read("postgres")
    target = {
        "type": "s3",
        "bucket": task.bucket,
        "access_key_id": task.access_key,
        "secret_access_key": task.secret_key,
        "region": task.region,
        "endpoint": task.endpoint or "",
    }
    with tempfile.TemporaryDirectory() as home:
        install_extensions(Path(home))
        environment = {
            **os.environ,
            "HOME": home,
            "SLING_HOME_DIR": home,
            "SLING_DISABLE_TELEMETRY": "true",
            "DUCKDB_PATH": str(Path(duckdb_cli.__path__[0]) / "duckdb"),
            # Its Postgres driver would ask for TLS, which a local server does not have.
            "SOURCE": task.postgres + ("&" if "?" in task.postgres else "?") + "sslmode=disable",
            "TARGET": json.dumps(target),
        }
        command = [str(Path(sling_linux_amd64.__path__[0]) / "bin" / "sling-linux-amd64"), "run"]
        command += ["--src-conn", "SOURCE", "--src-stream", task.query]
        command += ["--tgt-conn", "TARGET", "--tgt-object", task.target]
        command += ["--tgt-options", json.dumps({"format": "parquet"}), "--mode", "full-refresh"]
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
