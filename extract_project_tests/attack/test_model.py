"""Short walks through the model, the same ones each time; `make attack` walks at random."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.increments import incremental_key
from extract_project_tests.support.attack.model import PublishedKey, published_key
from extract_project_tests.support.attack.proxy import FaultProxy

pytestmark = pytest.mark.slow

WALKS = settings(
    max_examples=5,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    "is_split",
    [
        pytest.param(False, id="one object"),
        pytest.param(True, id="split", marks=pytest.mark.soak),
    ],
)
def test_g1_g2_g4_g10_g12_in_any_order(site: Site, proxy: FaultProxy, is_split: bool) -> None:
    machine: type[PublishedKey] = published_key(site, proxy, count(), is_split=is_split)
    run_state_machine_as_test(machine, settings=WALKS)


@pytest.mark.soak
def test_g2_g4_increments_in_any_order(site: Site, proxy: FaultProxy, tmp_path: Path) -> None:
    machine = incremental_key(site, proxy, count(), tmp_path)
    run_state_machine_as_test(machine, settings=WALKS)
