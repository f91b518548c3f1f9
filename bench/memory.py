"""Peak memory of a whole run, with the given rows and with ten times as many: `python -m
bench.memory`.

Writes docs/memory.md.
"""

from __future__ import annotations

from bench.contestants import TITLES
from bench.limits import QUERY
from bench.run import memory
from bench.site import bench_arguments, bench_site

_MIB = 1 << 20
_TEN_TIMES = {
    "postgres": "select l.* from shop.lineitem l, generate_series(1, 10)",
    "duckdb": "select l.* from shop.lineitem l, range(10)",
}


def main() -> None:
    given = bench_arguments("bench.memory", __doc__, "docs/memory.md").parse_args()
    with bench_site(given.directory, given.scale) as site:
        once = {source: memory(site, source, QUERY) for source in TITLES}
        more = {source: memory(site, source, query) for source, query in _TEN_TIMES.items()}
    with bench_site(given.directory, given.scale, repeat=10) as site:
        more["snowflake"] = memory(site, "snowflake", QUERY)
    lines = [_row(source, *once[source], *more[source]) for source in TITLES]
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
        f"| {TITLES[source]} | {rows:,} | {peak / _MIB:.0f} | {more:,} | {higher / _MIB:.0f} "
        f"| {higher / peak - 1:+.0%} |"
    )


if __name__ == "__main__":
    main()
