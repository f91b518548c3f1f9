"""Run every attack, then random walks until the time is up: `make attack MINUTES=30 SEED=1`.

A walk that fails prints its seed and its steps, shrunk. Equal seeds give equal walks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.increments import incremental_key
from extract_project_tests.support.attack.model import published_key
from extract_project_tests.support.attack.proxy import FaultProxy, fault_proxy
from extract_project_tests.support.attack.requests import attack_requests
from extract_project_tests.support.attack.rig import SHAPES, Rig, without_patience

_WALKS = settings(
    max_examples=5,
    stateful_step_count=50,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m extract_project_tests.support.attack")
    parser.add_argument("--minutes", type=float, default=10, help="how long to walk at random")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="extract-attack-") as directory,
        s3_server(Path(directory)) as server,
        fault_proxy(server.endpoint) as proxy,
        without_patience(),
    ):
        os.environ.update(server.environment)
        site = _site(server)
        keys = count()
        machines: dict[str, type[RuleBasedStateMachine]] = {
            "one object": published_key(site, proxy, keys, is_split=False, kills_processes=True),
            "split": published_key(site, proxy, keys, is_split=True, kills_processes=True),
            "incremental": incremental_key(site, proxy, keys, Path(directory)),
        }
        return _attack(site, proxy) + _walk(machines, options.minutes, options.seed)


def _site(server: S3Server) -> Site:
    for bucket in ("attack-manifest", "attack-data"):
        server.make_bucket(bucket)
    manifest, data = Location("attack-manifest", "sql"), Location("attack-data", "extracts")
    return Site.of(server, connect(), manifest, data)


def _attack(site: Site, proxy: FaultProxy) -> int:
    wrong = 0
    for shape in SHAPES:
        findings = attack_requests(
            Rig(site, f"requests/{shape.replace(' ', '_')}", shape), proxy, list
        )
        _say(f"{shape}: {findings.attacks} attacks, of which {findings.failed} ended a run")
        for each in findings.wrong:
            _say(f"WRONG: {each}")
        wrong += len(findings.wrong)
    return wrong


def _walk(
    machines: Mapping[str, type[RuleBasedStateMachine]], minutes: float, first_seed: int
) -> int:
    end = time.monotonic() + 60 * minutes
    for number in count(first_seed):
        for name, machine in machines.items():
            try:
                run_state_machine_as_test(seed(number)(machine), settings=_WALKS)
            except Exception:
                _say(f"WRONG: {name}, SEED={number}")
                raise
        if time.monotonic() > end:
            _say(f"walks: {', '.join(machines)}; up to SEED={number}")
            return 0
    raise AssertionError("count does not end")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
