"""Prints `docs/cost.md`: what the stack costs in a month, out of assumed prices.

python -m deploy.cost > docs/cost.md
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from extract_project.prices import ARM, ASSUMED, LEAST_SECONDS, REGION, X86, FargatePrices

HOURS, DAYS = 730, 30.4
PER_DAY = (20, 200, 5_000)
MINUTES = (1, 3, 10)


@dataclass(frozen=True)
class Prices:
    """In US dollars, on demand, without tax; the inputs of everything below."""

    fargate: FargatePrices = X86
    fargate_arm: FargatePrices = ARM
    endpoint_hour: float = 0.01
    nat_hour: float = 0.045
    public_address_hour: float = 0.005
    nat_gb: float = 0.045
    database_hour: float = 0.065
    database_single_hour: float = 0.032
    database_gb_month: float = 0.23
    key_month: float = 1.0
    secret_month: float = 0.4
    zone_month: float = 0.5
    alarm_month: float = 0.1
    metric_month: float = 0.3
    log_gb: float = 0.5
    list_or_put_request: float = 0.005 / 1000

    def rows(self) -> dict[str, float]:
        """Each by the name that it has on the page."""
        found: dict[str, float] = {}
        for name, value in vars(self).items():
            parts = vars(value) if isinstance(value, FargatePrices) else {"": value}
            found |= {f"{name} {part}".replace("_", " ").strip(): p for part, p in parts.items()}
        return found


@dataclass(frozen=True)
class Shape:
    """The quantities: from the template, and assumed for runs."""

    services: int = 3
    service_vcpu: float = 0.5
    service_gb: float = 2.0
    run_vcpu: float = 0.5
    run_gb: float = 1.0
    run_extra_disk_gb: int = 1
    endpoints: int = 7
    zones: int = 2
    database_gb: int = 20
    alarms: int = 9
    metrics: int = 36
    """Six outcomes, five causes, six stages, ten states, and some without dimensions."""
    secrets: int = 2
    core_log_gb: float = 2.0
    run_log_mb: float = 0.1
    run_requests: int = 10
    sensor_seconds: int = 5


def always_on(prices: Prices, shape: Shape) -> dict[str, float]:
    """The monthly costs that do not depend on extracts."""
    looks = HOURS * 3600 / shape.sensor_seconds
    return {
        f"{shape.services} services on Fargate, {shape.service_vcpu} vCPU and "
        f"{shape.service_gb:g} GB each": shape.services
        * prices.fargate.of(shape.service_vcpu, shape.service_gb, 0, HOURS),
        f"{shape.endpoints} interface endpoints in {shape.zones} zones": shape.endpoints
        * shape.zones
        * prices.endpoint_hour
        * HOURS,
        f"database db.t4g.small with a standby, {shape.database_gb} GB": prices.database_hour
        * HOURS
        + shape.database_gb * prices.database_gb_month,
        "key, secrets, zone of names, alarms": prices.key_month
        + shape.secrets * prices.secret_month
        + prices.zone_month
        + shape.alarms * prices.alarm_month,
        f"{shape.metrics} metrics; up to three dashboards cost nothing": shape.metrics
        * prices.metric_month,
        f"logs of the services, {shape.core_log_gb:g} GB": shape.core_log_gb * prices.log_gb,
        "looking at the manifest every five seconds, up to 1,000 files": looks
        * prices.list_or_put_request,
    }


def runs(prices: Prices, shape: Shape, per_day: int, minutes: float, *, arm: bool = False) -> float:
    """The monthly costs of extracts that each take this many billed minutes."""
    count = per_day * DAYS
    hours = minutes / 60
    fargate = prices.fargate_arm if arm else prices.fargate
    task = fargate.of(shape.run_vcpu, shape.run_gb, shape.run_extra_disk_gb, hours)
    logs = shape.run_log_mb / 1000 * prices.log_gb
    return count * (task + logs + shape.run_requests * prices.list_or_put_request)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def page(prices: Prices, shape: Shape) -> str:
    """The whole page."""
    standing = always_on(prices, shape)
    total = sum(standing.values())
    looks = HOURS * 3600 / shape.sensor_seconds * prices.list_or_put_request
    single = (prices.database_hour - prices.database_single_hour) * HOURS
    single += shape.database_gb * prices.database_gb_month / 2
    lines = [
        "# What it costs on AWS",
        "",
        f"Dollars for a month, computed by `make cost` (`deploy/cost.py`), in {REGION}, on demand,",
        f"without tax. **The prices are assumptions of {ASSUMED}**: compare them with the pages",
        "of AWS before you rely on a figure. No bill was ever looked at. The warehouse, which",
        "usually costs most, is not in it; nor is the storage of extracts, nor any discount.",
        "",
        "## Extracts",
        "",
        f"One task of {shape.run_vcpu} vCPU and {shape.run_gb:g} GB each, its disk, its logs and "
        "requests. Fargate bills",
        "by the second from the moment the image is pulled, and one minute at least.",
        "",
        _row("extracts a day", *(f"{minutes} min each" for minutes in MINUTES), "3 min on ARM64"),
        _row("--:", *("--:" for _ in MINUTES), "--:"),
    ]
    for count in PER_DAY:
        cells = [f"{runs(prices, shape, count, minutes):,.2f}" for minutes in MINUTES]
        lines.append(_row(f"{count:,}", *cells, f"{runs(prices, shape, count, 3, arm=True):,.2f}"))
    lines += ["", "## What is always on", "", _row("part", "dollars"), _row("---", "--:")]
    lines += [_row(name, f"{value:,.2f}") for name, value in standing.items()]
    lines += [
        _row("**together**", f"**{total:,.2f}**"),
        "",
        f"`DbMultiAz=false` saves {single:,.2f}. `Nat=true` adds "
        f"{(prices.nat_hour + prices.public_address_hour) * HOURS:,.2f},",
        f"and {prices.nat_gb} for each GB from Snowflake that is not on S3 of the same region.",
        f"Each 1,000 SQL files more add {looks:,.2f} of requests.",
        "",
        "## Together, at 3 minutes each",
        "",
        _row("extracts a day", "a month", "for each extract"),
        _row("--:", "--:", "--:"),
    ]
    for count in PER_DAY:
        month = total + runs(prices, shape, count, 3)
        lines.append(_row(f"{count:,}", f"{month:,.2f}", f"{month / (count * DAYS):.4f}"))
    lines += ["", "## The inputs", "", _row("price", "dollars"), _row("---", "--:")]
    for name, value in prices.rows().items():
        lines.append(_row(name, f"{value:.6f}".rstrip("0").rstrip(".")))
    lines += [
        "",
        "Sizes are those of `deploy/template.yaml` (a test compares them). Assumed besides: "
        f"{shape.run_log_mb} MB of",
        f"logs and {shape.run_requests} requests for each run, {shape.core_log_gb:g} GB of logs of "
        "the services.",
        *_each_materialization(prices, shape),
    ]
    return "\n".join(lines) + "\n"


def _each_materialization(prices: Prices, shape: Shape) -> list[str]:
    """The section about the metrics that Dagster plots."""
    minute = LEAST_SECONDS / 3600
    least = prices.fargate.of(shape.run_vcpu, shape.run_gb, shape.run_extra_disk_gb, minute)
    return [
        "",
        "## What one materialization cost",
        "",
        "Each materialization of a task has figures of its own, which the asset's page plots over",
        "time, and which are in its journal (`task`). Elsewhere than on ECS there are none.",
        "",
        _row("figure", "what it is"),
        _row("---", "---"),
        _row(
            "`task_vcpu`, `task_memory_mib`",
            "size of the task, as ECS's task metadata endpoint has it",
        ),
        _row(
            "`task_seconds`",
            f"from the pull of the image to the publish; {LEAST_SECONDS} at least, which is what "
            "Fargate bills",
        ),
        _row(
            "`estimated_fargate_usd`",
            f"those seconds at `EXTRACT_FARGATE__VCPU_HOUR`, `…__GB_HOUR` and `…__DISK_GB_HOUR` "
            f"(disk beyond 20 GB); default: the prices above, of the processor that the task has. "
            f"The least is {least:.6f}",
        ),
        _row(
            "`warehouse_seconds`",
            "Snowflake: how long the query was there, with compiling and queueing",
        ),
        _row(
            "`estimated_credits`",
            "those seconds at the list rate of the warehouse's size, as if the query had it for "
            "itself; only of standard warehouses, whose rate is known",
        ),
        "",
        "They are estimates, and say so beside themselves (`cost_basis`, `warehouse_cost_basis`). "
        "Not in them:",
        "the seconds between the publish and the end of the task, and runs that published nothing;",
        "Spot, Savings Plans and tax; of Snowflake, idle time until a warehouse suspends, the",
        "minute that each resume costs at least, other clusters, and queries that ran beside this",
        "one. Several extracts in one task each count from the task's start: do not add those up.",
        "The bill is what counts; these tell which extract got dearer, and when.",
    ]


if __name__ == "__main__":
    sys.stdout.write(page(Prices(), Shape()))
