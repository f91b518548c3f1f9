"""An eighth of all attacks; `make attack` carries out every one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import FaultProxy
from extract_project_tests.support.attack.requests import Attack, attack_requests
from extract_project_tests.support.attack.rig import SHAPES, Rig, Shape

pytestmark = pytest.mark.slow


def some(attacks: Sequence[Attack]) -> Sequence[Attack]:
    """Other faults and durations at each request, the same ones in each test run."""
    return sorted(attacks, key=str)[::8]


@pytest.mark.parametrize(
    "shape",
    [each if each == "one put" else pytest.param(each, marks=pytest.mark.soak) for each in SHAPES],
)
def test_g1_g2_every_request_may_fail_in_every_way(
    site: Site, proxy: FaultProxy, shape: Shape
) -> None:
    findings = attack_requests(Rig(site, "a/b", shape), proxy, some)
    assert findings.wrong == []
    assert 0 < findings.failed < findings.attacks
