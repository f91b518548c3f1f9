"""Run the server as its own process; see `--help`."""

from __future__ import annotations

import argparse
import sys
import threading

from extract_project_tests.support.snowflake_server import Engine, Service, snowflake_server


def main() -> None:
    parser = argparse.ArgumentParser(prog="snowflake_server", description=__doc__)
    parser.add_argument("--database", default=":memory:", help="a DuckDB database file")
    parser.add_argument("--port", type=int, default=0, help="default: a free one, which is printed")
    parser.add_argument("--token", default="token", help="the access token that is let in")
    parser.add_argument("--chunk-rows", type=int, default=50_000)
    parser.add_argument(
        "--reuse-results",
        action="store_true",
        help="answer a repeated statement without running it: for measuring readers alone",
    )
    parser.add_argument("--repeat", type=int, default=1, help="send each chunk so many times")
    parser.add_argument("--read-only", action="store_true", help="the database is shared")
    given = parser.parse_args()
    engine = Engine(
        given.database,
        given.chunk_rows,
        read_only=given.read_only,
        reuse_results=given.reuse_results,
        repeat=given.repeat,
    )
    service = Service(engine, tokens={given.token})
    with snowflake_server(service, given.port) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
