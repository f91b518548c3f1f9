"""Each benchmark starts, measures something small, and writes its page.

Not run here: `bench.types` and the peers of `bench`, which need an environment of their own; and
`bench.profile`, which needs py-spy.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_TPCH = ("--scale", "0.001", "--directory", "{directory}", "--output", "{directory}/page.md")
_SMALL = {
    "bench": (*_TPCH, "--rounds", "1", "--no-peers"),
    "bench.memory": _TPCH,
    "bench.scale": ("--files", "10", "--output", "{directory}/page.md"),
    "bench.starts": ("--rounds", "1"),
    "bench.fanout": ("--partitions", "2", "--tasks", "1", "--seconds", "1"),
    "bench.unload": ("--files", "1"),
}


@pytest.mark.soak
@pytest.mark.parametrize("module", _SMALL)
def test_a_benchmark_measures_something_small(module: str, tmp_path: Path) -> None:
    arguments = [each.format(directory=tmp_path) for each in _SMALL[module]]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "--output" in arguments:
        assert "|" in (tmp_path / "page.md").read_text()
    else:
        assert done.stdout
