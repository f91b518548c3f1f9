"""Fargate's prices, and the cost of a task computed from them.

`deploy/cost.py` computes `docs/cost.md` from these prices, with nothing but Python installed.
They are also the defaults of the settings EXTRACT_FARGATE__…, with which each materialization
estimates its cost.
"""

from __future__ import annotations

from dataclasses import dataclass

REGION, ASSUMED = "us-east-1", "2026-11-25"
LEAST_SECONDS = 60
"""Seconds that Fargate bills for every task, however short."""
INCLUDED_DISK_GB = 20
"""GB of disk that every task has free of charge."""


@dataclass(frozen=True)
class FargatePrices:
    """Prices in US dollars per hour, on demand, without tax."""

    vcpu_hour: float
    gb_hour: float
    disk_gb_hour: float
    """Beyond the disk that is included."""

    def of(self, vcpu: float, gb: float, extra_disk_gb: float, hours: float) -> float:
        """The cost of a task of this size that runs for `hours`, in US dollars."""
        hourly = vcpu * self.vcpu_hour + gb * self.gb_hour + extra_disk_gb * self.disk_gb_hour
        return hours * hourly


X86 = FargatePrices(vcpu_hour=0.04048, gb_hour=0.004445, disk_gb_hour=0.000111)
ARM = FargatePrices(vcpu_hour=0.03238, gb_hour=0.00356, disk_gb_hour=0.000111)


def prices_of(machine: str) -> FargatePrices:
    """The prices for a processor, named as `platform.machine()` names it."""
    return ARM if machine.lower() in ("aarch64", "arm64") else X86
