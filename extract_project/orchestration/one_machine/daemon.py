"""Dagster's daemon, which imports what its runs need while it starts.

    python -m extract_project.orchestration.one_machine.daemon run -w workspace.yaml

takes the arguments of `dagster-daemon`. With Dagster's own, the first run imports everything, and
takes some five seconds longer.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    # Imported here because multiprocessing imports this module again in each process of a run.
    from extract_project.orchestration.dagster_internals import run_daemon
    from extract_project.orchestration.one_machine.launcher import fork_server

    fork_server().begin()
    run_daemon(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
