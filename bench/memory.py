"""Peak memory of a whole run: with the given rows, with ten times as many, and with 17 times as
many in a task of 512 MiB: `python -m bench.memory`, as root.

Writes docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.contestants import TITLES
from bench.control_group import control_group
from bench.limits import QUERY
from bench.run import Taken, memory
from bench.site import bench_arguments, bench_site

_MIB = 1 << 20
_TASK = 512 * _MIB
_TIMES, _TASK_TIMES = 10, 17
_REPEATED = {
    "postgres": "select l.* from shop.lineitem l, generate_series(1, {times})",
    "duckdb": "select l.* from shop.lineitem l, range({times})",
}


def main() -> None:
    given = bench_arguments("bench.memory", __doc__, "docs/memory.md").parse_args()
    with bench_site(given.directory, given.scale) as site, control_group(_TASK) as task:
        once = {source: memory(site, source, QUERY) for source in TITLES}
        more = {s: memory(site, s, query.format(times=_TIMES)) for s, query in _REPEATED.items()}
        most = {
            s: memory(site, s, query.format(times=_TASK_TIMES), task)
            for s, query in _REPEATED.items()
        }
    with bench_site(given.directory, given.scale, repeat=_TIMES) as site:
        more["snowflake"] = memory(site, "snowflake", QUERY)
    with (
        bench_site(given.directory, given.scale, repeat=_TASK_TIMES) as site,
        control_group(_TASK) as task,
    ):
        most["snowflake"] = memory(site, "snowflake", QUERY, task)
    given.output.write_text(_page(given.scale, once, more, most))


_PAGE = """# Memory

Printed by `make bench-memory SCALE={scale:g}`: peak resident memory of the whole run process, with
Dagster in it (the kernel's high-water mark), for TPC-H `lineitem` and for ten times its rows. The
process knows, as a task of ECS does, that it executes one extract.

| source | rows | peak MiB | rows | peak MiB | difference |
|---|---|---|---|---|---|
{growth}

About 90 MiB of these are the code of libraries, which the kernel drops when memory is short. So a
task of {task} MiB is enough. Each of these runs was in a control group of that size, without swap,
and published its result:

| source | rows | peak MiB |
|---|---|---|
{limited}
"""


def _page(
    scale: float, once: Mapping[str, Taken], more: Mapping[str, Taken], most: Mapping[str, Taken]
) -> str:
    growth = "\n".join(
        f"| {TITLES[source]} | {_cells(once[source])} | {_cells(more[source])} "
        f"| {more[source].peak_bytes / once[source].peak_bytes - 1:+.0%} |"
        for source in TITLES
    )
    limited = "\n".join(f"| {TITLES[source]} | {_cells(most[source])} |" for source in TITLES)
    return _PAGE.format(scale=scale, growth=growth, limited=limited, task=_TASK // _MIB)


def _cells(taken: Taken) -> str:
    return f"{taken.rows:,} | {taken.peak_bytes / _MIB:.0f}"


if __name__ == "__main__":
    main()
