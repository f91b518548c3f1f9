"""`python -m bench`: measure, and write docs/performance.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.contestants import SOURCES
from bench.limits import QUERY
from bench.report import Figures, page, plot
from bench.run import as_json, baseline, memory, run_source
from bench.site import bench_site, make_peers

_HERE = Path(__file__).parent
_TEN_TIMES = {
    "duckdb": "select l.* from shop.lineitem l, range(10)",
    "postgres": "select l.* from shop.lineitem l, generate_series(1, 10)",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of TPC-H; 1 is 6 million rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--no-peers", action="store_true", help="this project alone")
    parser.add_argument("--no-memory", action="store_true", help="without ten times the rows")
    parser.add_argument("--directory", type=Path, default=Path(".bench"))
    parser.add_argument("--output", type=Path, default=Path("docs/performance.md"))
    given = parser.parse_args()
    directory = given.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    peers = None
    if not given.no_peers:
        peers = make_peers(directory / "peers", _HERE / "peers" / "requirements.lock")
    with bench_site(directory, given.scale) as site:
        empty = baseline(site, given.rounds)
        outcomes = [run_source(site, source, given.rounds, peers) for source in given.sources]
        rows = site.rows
        once = (
            []
            if given.no_memory
            else [(source, *memory(site, source, QUERY)) for source in given.sources]
        )
        more = {
            source: memory(site, source, _TEN_TIMES[source])
            for source, *_ in once
            if source in _TEN_TIMES
        }
    if "snowflake" in given.sources and not given.no_memory:
        with bench_site(directory, given.scale, repeat=10) as site:
            more["snowflake"] = memory(site, "snowflake", QUERY)
    figures = Figures(
        rows=rows,
        rounds=given.rounds,
        command=f"make bench SCALE={given.scale:g} ROUNDS={given.rounds}",
        outcomes=outcomes,
        baseline=empty,
        memory=[(source, *figure, *more[source]) for source, *figure in once],
    )
    given.output.write_text(page(figures))
    given.output.with_suffix(".svg").write_text(plot(outcomes))
    (directory / "figures.json").write_text(json.dumps(list(as_json(outcomes)), indent=1))


if __name__ == "__main__":
    main()
