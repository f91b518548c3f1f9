"""Measure `extract status` of thousands of extracts: `python -m bench.status`.

Each extract has a materialization with the metadata of a real one. The seconds are those of the
whole command, from the start of its process. Commands take turns: all suffer alike from what
Dagster's daemon does about thousands of new assets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from bench import many
from bench.trio import trio
from extract_project.embedded.site import embedded_site
from extract_project.orchestration.names.keys import asset_key
from extract_project.settings import load_settings
from extract_project.store.s3.client import connect

_ROUNDS = 9
_COLUMNS = dg.TableSchema([dg.TableColumn(f"c{n}", "int64", "what it means") for n in range(12)])
_METADATA: dict[str, Any] = {
    "dagster/row_count": 1000,
    "dagster/column_schema": _COLUMNS,
    "dagster/uri": "s3://bucket/extracts/x.parquet?versionId=3HL4kqtJlcpXroDTDmJ",
    "s3_version_id": "3HL4kqtJlcpXroDTDmJ",
    "bytes": 12_345,
    "sql": dg.MetadataValue.md("select " + "column_of_a_table, " * 40),
    "columns": dg.MetadataValue.md("| column | type | null |\n" * 12),
    "preview": dg.MetadataValue.md("| a | b | c | d | e | f |\n" * 12),
    "seconds": 1.5,
    "seconds_usual": 1.4,
    "rows_change": 3,
    "outcome": "published as a new version",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.status", description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="extract-status-") as directory,
        embedded_site(Path(directory)) as site,
    ):
        os.environ.update(site.settings)
        many.put_all(connect(), load_settings().manifest, given.files)
        with trio(site) as running, dg.DagsterInstance.from_config(str(running.home)) as instance:
            for path in running.deployment.extracts():
                made = dg.AssetMaterialization(asset_key(path), metadata=_METADATA)
                instance.report_runless_asset_event(made)
            environment = {**os.environ, "EXTRACT_DAGSTER_URL": running.url}
            commands = (("status",), ("status", "--json"), ("why", many.path(1)))
            taken: dict[tuple[str, ...], list[float]] = {each: [] for each in commands}
            for _ in range(_ROUNDS):
                for command, seconds in taken.items():
                    seconds.append(_seconds(command, environment))
            for command, seconds in taken.items():
                sys.stdout.write(
                    f"{given.files:,} extracts: extract {' '.join(command)}: "
                    f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to "
                    f"{max(seconds):.2f} of {_ROUNDS})\n"
                )


def _seconds(arguments: Sequence[str], environment: dict[str, str]) -> float:
    extract = str(Path(sysconfig.get_path("scripts")) / "extract")
    begun = time.monotonic()
    subprocess.run([extract, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
