"""Peak memory of a whole run, with the given rows and with ten times as many: `python -m
bench.memory`.

Writes docs/memory.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.limits import QUERY
from bench.run import memory
from bench.site import bench_site

_MIB = 1 << 20
_TEN_TIMES = {
    "postgres": "select l.* from shop.lineitem l, generate_series(1, 10)",
    "duckdb": "select l.* from shop.lineitem l, range(10)",
}
_TITLES = {"snowflake": "Snowflake", "postgres": "Postgres", "duckdb": "DuckDB"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.memory", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of TPC-H; 1 is 6 million rows")
    parser.add_argument("--directory", type=Path, default=Path(".bench"))
    parser.add_argument("--output", type=Path, default=Path("docs/memory.md"))
    given = parser.parse_args()
    directory = given.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with bench_site(directory, given.scale) as site:
        once = {source: memory(site, source, QUERY) for source in _TITLES}
        more = {source: memory(site, source, query) for source, query in _TEN_TIMES.items()}
    with bench_site(directory, given.scale, repeat=10) as site:
        more["snowflake"] = memory(site, "snowflake", QUERY)
    lines = [_row(source, *once[source], *more[source]) for source in _TITLES]
    given.output.write_text(_PAGE.format(scale=given.scale, rows="\n".join(lines)))


_PAGE = """# Memory

Printed by `make bench-memory SCALE={scale:g}`: peak resident memory of the whole run process, with
Dagster in it (the kernel's high-water mark), for TPC-H `lineitem` and for ten times its rows. The
process knows, as a task of ECS does, that it executes one extract.

| source | rows | peak MiB | rows | peak MiB | difference |
|---|---|---|---|---|---|
{rows}
"""


def _row(source: str, rows: int, peak: int, more: int, higher: int) -> str:
    return (
        f"| {_TITLES[source]} | {rows:,} | {peak / _MIB:.0f} | {more:,} | {higher / _MIB:.0f} "
        f"| {higher / peak - 1:+.0%} |"
    )


if __name__ == "__main__":
    main()
