"""`python -m bench`: measure, and write docs/performance.md."""

from __future__ import annotations

import json
from pathlib import Path

from bench.contestants import SOURCES
from bench.measure import adopt_orphans
from bench.report import Results, page, plot
from bench.run import as_json, baseline, run_source
from bench.site import bench_arguments, bench_site, make_peers

_HERE = Path(__file__).parent


def main() -> None:
    parser = bench_arguments("bench", __doc__, "docs/performance.md")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--no-peers", action="store_true", help="this project alone")
    given = parser.parse_args()
    directory = given.directory
    adopt_orphans()
    peers = None
    if not given.no_peers:
        peers = make_peers(directory / "peers", _HERE / "peers" / "requirements.lock")
    with bench_site(directory, given.scale) as site:
        empty = baseline(site, given.rounds)
        outcomes = [run_source(site, source, given.rounds, peers) for source in given.sources]
        rows = site.rows
    results = Results(
        rows=rows,
        rounds=given.rounds,
        command=f"make bench SCALE={given.scale:g} ROUNDS={given.rounds}",
        outcomes=outcomes,
        baseline=empty,
    )
    given.output.write_text(page(results))
    given.output.with_suffix(".svg").write_text(plot(outcomes))
    (directory / "results.json").write_text(json.dumps(list(as_json(outcomes)), indent=1))


if __name__ == "__main__":
    main()
