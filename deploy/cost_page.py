"""Prints `docs/cost.md`, which `make cost` writes.

python -m deploy.cost_page > docs/cost.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from deploy.cost import (
    FOOTPRINTS,
    HOURS,
    LOCATION,
    MINUTES,
    PER_DAY,
    USUAL_MINUTES,
    Prices,
    Shape,
    always_on,
    looks,
    month,
    runs,
)
from extract_project.prices import ASSUMED, LEAST_SECONDS, REGION


def _sizes(shape: Shape) -> dict[str, str]:
    """What the parts of `always_on` are, in words."""
    processor = "ARM64" if shape.arm else "x86"
    return {
        "services on Fargate": f"{shape.tasks} of {shape.task_vcpu} vCPU, {shape.task_gb:g} GB, "
        f"{processor}"
        if shape.tasks
        else "none",
        "database": f"{shape.database}, {shape.database_gb} GB"
        + (", standby" if shape.standby else "")
        if shape.database
        else "none",
        "interface endpoints": f"{shape.endpoints} in {shape.zones} zones"
        if shape.endpoints
        else "none",
        "secrets, alarms, metrics": f"{shape.secrets}, {shape.alarms}, {shape.metrics}",
        "logs of the services": f"{shape.core_log_gb:g} GB",
        "a look at the manifest": f"each {shape.sensor_seconds} s"
        if shape.sensor_seconds
        else "by each task",
    }


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _dollars(value: float) -> str:
    return f"{value:,.2f}"


def page(prices: Prices, footprints: Mapping[str, Shape]) -> str:
    """The whole page."""
    standard = footprints["standard"]
    standing = {name: always_on(prices, shape) for name, shape in footprints.items()}
    sizes = {name: _sizes(shape) for name, shape in footprints.items()}
    single = (prices.db_t4g_small_standby_hour - prices.db_t4g_small_hour) * HOURS
    single += standard.database_gb * prices.database_gb_month
    heads, rights = list(footprints), ["--:"] * len(footprints)
    lines = [
        "# What it costs on AWS",
        "",
        f"Dollars for a month, computed by `make cost` (`deploy/cost.py`), in {REGION}, on demand,",
        f"without tax. **The prices are assumptions of {ASSUMED}**: compare them with the pages",
        "of AWS before you rely on a figure. No bill was ever looked at. The warehouse, which",
        "usually costs most, is not in it; nor is the storage of extracts, nor any discount or",
        "free tier. The columns are the [footprints](deploy.md#which-footprint) of the stack.",
        "",
        f"## A month, at {USUAL_MINUTES} minutes for each extract",
        "",
        _row("extracts a day", *heads),
        _row("--:", *rights),
    ]
    for count in PER_DAY:
        bills = [_dollars(month(prices, shape, count)) for shape in footprints.values()]
        lines.append(_row(f"{count:,}", *bills))
    lines += ["", "## What is always on", "", _row("part", *heads), _row("---", *rights)]
    lines += [
        _row(part, *(_dollars(parts[part]) for parts in standing.values()))
        for part in always_on(prices, standard)
    ]
    totals = [f"**{_dollars(sum(parts.values()))}**" for parts in standing.values()]
    lines += [
        _row("**together**", *totals),
        "",
        "These are:",
        "",
        _row("part", *heads),
        _row("---", *["---"] * len(footprints)),
        *(_row(part, *(each[part] for each in sizes.values())) for part in _sizes(standard)),
        "",
        f"In the standard footprint `DbMultiAz=false` saves {single:,.2f}. `Nat=true` adds "
        f"{(prices.nat_hour + prices.public_address_hour) * HOURS:,.2f},",
        f"and {prices.nat_gb} for each GB from Snowflake that is not on S3 of the same region. "
        "Each 1,000 SQL",
        f"files more add {looks(prices, standard):,.2f} of requests.",
        "",
        *_each_location(prices),
        "## Extracts",
        "",
        f"One task of {standard.run_vcpu} vCPU and {standard.run_gb:g} GB each, its disk, its logs "
        "and requests, and its public address where it",
        "has one. Fargate bills by the second from the moment the image is pulled, and one minute "
        "at least.",
    ]
    for name, shape in footprints.items():
        lines += [
            "",
            f"{name.capitalize()}:",
            "",
            _row("extracts a day", *(f"{minutes} min each" for minutes in MINUTES)),
            _row("--:", *("--:" for _ in MINUTES)),
        ]
        for count in PER_DAY:
            cells = [_dollars(runs(prices, shape, count, minutes)) for minutes in MINUTES]
            lines.append(_row(f"{count:,}", *cells))
    lines += ["", "## The inputs", "", _row("price", "dollars"), _row("---", "--:")]
    for name, value in prices.rows().items():
        lines.append(_row(name, f"{value:.6f}".rstrip("0").rstrip(".")))
    lines += [
        "",
        "Sizes are those of `deploy/template.yaml` (a test compares them). Assumed besides: "
        f"{standard.run_log_mb} MB of",
        f"logs and {standard.run_requests} requests for each run ("
        f"{footprints['none'].run_requests} where it reads",
        f"the manifest of up to 1,000 files), the logs of the services, and {standard.image_gb:g} "
        "GB of images. Not in it: data through",
        "endpoints, requests of the key beyond those that are free, backups beyond the size of the "
        "database.",
        *_each_materialization(prices, standard),
    ]
    return "\n".join(lines) + "\n"


def _each_location(prices: Prices) -> list[str]:
    """The sentences about further code locations."""
    parts = always_on(prices, LOCATION)
    server, metrics = parts["services on Fargate"], LOCATION.metrics * prices.metric_month
    rest = sum(parts.values()) - server - metrics
    return [
        f"Each [further code location](locations.md#on-aws) adds {sum(parts.values()):,.2f}: "
        f"{server:,.2f} for its code server,",
        f"{metrics:,.2f} for its metrics, {rest:,.2f} for its secret, alarms, logs and looks at "
        "the manifest; and all of",
        f"them {prices.named_address_month:,.2f} for the name of the database.",
        "",
    ]


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
    sys.stdout.write(page(Prices(), FOOTPRINTS))
