"""The settings of Fargate's prices, with which each materialization estimates its cost."""

from __future__ import annotations

import platform
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict, Field

from extract_project.prices import FargatePrices, prices_of


class FargateSettings(BaseModel):
    """Prices of a task in US dollars per hour; the default is the price in us-east-1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vcpu_hour: float | None = Field(
        None, ge=0, description="One vCPU for an hour. Default: the price in us-east-1"
    )
    gb_hour: float | None = Field(
        None, ge=0, description="One GB of memory for an hour. Default: the price in us-east-1"
    )
    disk_gb_hour: float | None = Field(
        None,
        ge=0,
        description="One GB of disk beyond 20 GB for an hour. Default: the price in us-east-1",
    )

    @property
    def prices(self) -> FargatePrices:
        given = {name: price for name, price in self if price is not None}
        return FargatePrices(**{**asdict(prices_of(platform.machine())), **given})
