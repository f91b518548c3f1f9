"""Ports of servers that start at the same moment, in several processes."""

from __future__ import annotations

import subprocess
import sys

CHOOSE = """
import sys
from extract_project.embedded.process import free_port
sys.stdin.read()
print(*(free_port() for _ in range(400)))
"""


def test_no_two_processes_choose_the_same_port() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHOOSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for each in processes:  # which begin together once their input ends
        assert each.stdin is not None
        each.stdin.close()
    chosen: list[str] = []
    for each in processes:
        assert each.stdout is not None
        chosen += each.stdout.read().split()
        assert each.wait() == 0
    assert len(set(chosen)) == len(chosen) == 1600
