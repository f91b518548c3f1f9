"""What Fargate costs: the one place where its prices are written down, and how they add up.

`deploy/cost.py` computes `docs/cost.md` out of them, without anything installed; they are also the
defaults of the settings by which each materialization says what it cost.
"""

from __future__ import annotations

from dataclasses import dataclass

REGION, ASSUMED = "us-east-1", "2026-11-25"
LEAST_SECONDS = 60
"""What Fargate bills of a task at least."""
INCLUDED_DISK_GB = 20
"""What every task has, without being billed for it."""


@dataclass(frozen=True)
class FargatePrices:
    """In US dollars for an hour, on demand, without tax."""

    vcpu_hour: float
    gb_hour: float
    disk_gb_hour: float
    """Beyond the disk that is included."""

    def of(self, vcpu: float, gb: float, extra_disk_gb: float, hours: float) -> float:
        """What a task of this size costs for so long, in US dollars."""
        hourly = vcpu * self.vcpu_hour + gb * self.gb_hour + extra_disk_gb * self.disk_gb_hour
        return hours * hourly


X86 = FargatePrices(vcpu_hour=0.04048, gb_hour=0.004445, disk_gb_hour=0.000111)
ARM = FargatePrices(vcpu_hour=0.03238, gb_hour=0.00356, disk_gb_hour=0.000111)


def prices_of(machine: str) -> FargatePrices:
    """Those of a processor, by the name that `platform.machine()` has for it."""
    return ARM if machine.lower() in ("aarch64", "arm64") else X86
