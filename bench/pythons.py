"""What a run costs with another Python: `python -m bench.pythons ENVIRONMENT…`.

Each environment has this project and its lock file installed. The commands take turns. Prints the
medians of one small extract from DuckDB through `extract materialize`, as a whole process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from bench import many
from bench.measure import Measurement, measure
from extract_project.embedded.site import EmbeddedSite, embedded_site
from extract_project.process import take_environment
from extract_project.settings import load_settings
from extract_project.store.s3.client import connect


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.pythons", description=__doc__)
    parser.add_argument("environments", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    runs: dict[Path, list[Measurement]] = {each: [] for each in given.environments}
    with (
        tempfile.TemporaryDirectory(prefix="extract-pythons-") as directory,
        embedded_site(Path(directory)) as site,
    ):
        take_environment(site.settings)
        path = _put_file(site)
        for number in range(given.rounds + 1):
            for environment, found in runs.items():
                run = _run(environment, site, path)
                if number:  # the first round compiles modules, and does not count
                    found.append(run)
    sys.stdout.write("\n".join(_line(each, found) for each, found in runs.items()) + "\n")


def _put_file(site: EmbeddedSite) -> str:
    with duckdb.connect(str(site.warehouse)) as connection:
        connection.execute(many.TABLE)
    return many.put(connect(), load_settings().manifest, 0)


def _run(environment: Path, site: EmbeddedSite, path: str) -> Measurement:
    command = [str(environment / "bin" / "extract"), "materialize", path]
    run = measure(command, site.process_environment(), site.directory / "pythons.log")
    if run.exit_code:
        raise SystemExit(f"{environment}: {run.output[-2000:]}")
    return run


def _line(environment: Path, runs: list[Measurement]) -> str:
    python = str(environment / "bin" / "python")
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    wall, cpu = (statistics.median(getattr(run, what) for run in runs) for what in ("wall", "cpu"))
    peak = max(run.peak_bytes for run in runs) >> 20
    least = min(run.cpu for run in runs)
    return f"{version.strip()}: {wall:.2f} s, {cpu:.2f} CPU s (least {least:.2f}), {peak} MiB"


if __name__ == "__main__":
    main()
