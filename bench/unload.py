"""Measure `engine: unload` beside `engine: stream`: `python -m bench.unload`.

The server that writes the files is a double on this very machine, so the seconds are not those of a
warehouse: what counts is the run's own CPU time and peak memory, which should not grow with files.
"""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.measure import measure
from bench.site import BUCKETS, TOKEN, snowflake_fields
from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.embedded.s3_server import s3_server
from extract_project.store.s3.client import connect

_FILE_ROWS = 50_000
_QUERY = """/*---
engine: {engine}
checks:
- min_rows: 1
- not_null: [N]
---*/
select n, md5(n::varchar) as digest, md5((n + 1)::varchar) as other, n / 7.0::double as share
from range({rows}) t(n)
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.unload", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1, 10, 100])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="extract-unload-") as name:
        directory = Path(name)
        with s3_server(directory / "s3") as s3:
            for bucket in BUCKETS:
                s3.make_bucket(bucket)
            os.environ.update(s3.environment)
            port = free_port()
            server = [
                *(sys.executable, "-m", "extract_project_tests.support.snowflake_server"),
                *("--port", str(port), "--token", TOKEN),
            ]
            log = directory / "snowflake.log"
            with running(server, log) as process:
                await_ready("the server", lambda: is_listening(port), process, log)
                for files in given.files:
                    for engine in ("stream", "unload"):
                        _run(engine, files, _environment(port), directory / "run.log")


def _run(engine: str, files: int, environment: Mapping[str, str], log: Path) -> None:
    rows = files * _FILE_ROWS
    body = _QUERY.format(engine=engine, rows=rows).encode()
    connect().put_object(Bucket=BUCKETS[0], Key=f"sql/bench/{engine}.sql", Body=body)
    extract = str(Path(sysconfig.get_path("scripts")) / "extract")
    run = measure([extract, "materialize", f"bench/{engine}"], environment, log)
    if run.exit_code:
        raise SystemExit(f"{engine} failed: {run.output[-2000:]}")
    sys.stdout.write(
        f"{engine}: {rows:>9,} rows, {files:>3} files: {run.peak_bytes >> 20:>4} MiB, "
        f"{run.cpu:5.1f} CPU s, {run.wall:5.1f} s\n"
    )
    sys.stdout.flush()


def _environment(port: int) -> dict[str, str]:
    fields = {**snowflake_fields(port), "STORAGE_INTEGRATION": "extracts"}
    return {
        **os.environ,
        "EXTRACT_MANIFEST": f"s3://{BUCKETS[0]}/sql",
        "EXTRACT_DATA": f"s3://{BUCKETS[1]}/extracts",
        **{f"EXTRACT_WAREHOUSES__SNOW__{name}": value for name, value in fields.items()},
    }


if __name__ == "__main__":
    main()
