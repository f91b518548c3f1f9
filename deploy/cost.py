"""What the stack costs in a month, out of assumed prices; `cost_page.py` prints it."""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.prices import ARM, X86, FargatePrices

HOURS, DAYS = 730, 30.4
PER_DAY = (20, 200, 5_000)
MINUTES = (1, 3, 10)
USUAL_MINUTES = 3


@dataclass(frozen=True)
class Prices:
    """In US dollars, on demand, without tax; the inputs of everything below."""

    fargate: FargatePrices = X86
    fargate_arm: FargatePrices = ARM
    endpoint_hour: float = 0.01
    nat_hour: float = 0.045
    public_address_hour: float = 0.005
    nat_gb: float = 0.045
    db_t4g_small_standby_hour: float = 0.065
    db_t4g_small_hour: float = 0.032
    db_t4g_micro_hour: float = 0.016
    database_gb_month: float = 0.115
    key_month: float = 1.0
    secret_month: float = 0.4
    zone_month: float = 0.5
    named_address_month: float = 0.1
    alarm_month: float = 0.1
    metric_month: float = 0.3
    log_gb: float = 0.5
    image_gb_month: float = 0.1
    list_or_put_request: float = 0.005 / 1000
    scheduler_tick: float = 1 / 1_000_000

    def rows(self) -> dict[str, float]:
        """Each by the name that it has on the page."""
        found: dict[str, float] = {}
        for name, value in vars(self).items():
            parts = vars(value) if isinstance(value, FargatePrices) else {"": value}
            found |= {f"{name} {part}".replace("_", " ").strip(): p for part, p in parts.items()}
        return found

    def database_hour(self, shape: Shape) -> float:
        if shape.standby:
            return self.db_t4g_small_standby_hour
        hours = {
            "db.t4g.small": self.db_t4g_small_hour,
            "db.t4g.micro": self.db_t4g_micro_hour,
            "": 0.0,
        }
        return hours[shape.database]


@dataclass(frozen=True)
class Shape:
    """The quantities of one footprint: from the template, and assumed for runs."""

    arm: bool = False
    tasks: int = 3
    """That are always on: code server, webserver and daemon."""
    task_vcpu: float = 0.5
    task_gb: float = 2.0
    public_addresses: bool = False
    """Whether each task has one."""
    run_vcpu: float = 0.5
    run_gb: float = 1.0
    run_extra_disk_gb: int = 1
    endpoints: int = 7
    zones: int = 2
    database: str = "db.t4g.small"
    """Its class; empty: there is none."""
    standby: bool = True
    database_gb: int = 20
    keys: int = 1
    names: int = 1
    """Private zones."""
    alarms: int = 9
    metrics: int = 36
    """Six outcomes, five causes, six stages, ten states, and some without dimensions."""
    secrets: int = 2
    core_log_gb: float = 2.0
    image_gb: float = 1.0
    run_log_mb: float = 0.1
    run_requests: int = 10
    sensor_seconds: float = 2.5
    """Between two looks at the manifest; 0: nobody looks."""
    scheduled_by_aws: bool = False
    """Whether EventBridge Scheduler starts each task, and no daemon."""

    def fargate(self, prices: Prices) -> FargatePrices:
        return prices.fargate_arm if self.arm else prices.fargate

    def address(self, prices: Prices, hours: float) -> float:
        """What the public address of a task costs."""
        return prices.public_address_hour * hours if self.public_addresses else 0.0


FOOTPRINTS = {
    "standard": Shape(),
    "small": Shape(
        arm=True,
        tasks=1,
        public_addresses=True,
        endpoints=0,
        database="db.t4g.micro",
        standby=False,
        alarms=7,
        metrics=3,
        core_log_gb=0.5,
        sensor_seconds=60,
    ),
    "none": Shape(
        arm=True,
        tasks=0,
        public_addresses=True,
        endpoints=0,
        database="",
        standby=False,
        database_gb=0,
        names=0,
        alarms=1,
        metrics=0,
        secrets=1,
        core_log_gb=0,
        run_requests=15,
        sensor_seconds=0,
        scheduled_by_aws=True,
    ),
}
"""Each by the value of the parameter `Footprint`; a column of the page."""
LOCATION = Shape(
    tasks=1,
    endpoints=0,
    database="",
    standby=False,
    database_gb=0,
    keys=0,
    names=0,
    alarms=5,
    secrets=1,
    core_log_gb=0.5,
    image_gb=0,
)
"""What each further code location adds to the standard footprint."""


def always_on(prices: Prices, shape: Shape) -> dict[str, float]:
    """The monthly costs that do not depend on extracts."""
    copies = 2 if shape.standby else 1
    return {
        "services on Fargate": shape.tasks
        * shape.fargate(prices).of(shape.task_vcpu, shape.task_gb, 0, HOURS),
        "their public addresses": shape.tasks * shape.address(prices, HOURS),
        "interface endpoints": shape.endpoints * shape.zones * prices.endpoint_hour * HOURS,
        "database and its storage": prices.database_hour(shape) * HOURS
        + copies * shape.database_gb * prices.database_gb_month,
        "key, secrets, zone of names, alarms": shape.keys * prices.key_month
        + shape.secrets * prices.secret_month
        + shape.names * prices.zone_month
        + shape.alarms * prices.alarm_month,
        "metrics; up to three dashboards cost nothing": shape.metrics * prices.metric_month,
        "logs of the services": shape.core_log_gb * prices.log_gb,
        "images in the registry": shape.image_gb * prices.image_gb_month,
        "looking at the manifest, up to 1,000 files": looks(prices, shape),
    }


def looks(prices: Prices, shape: Shape) -> float:
    """The monthly costs of looking at up to 1,000 files of the manifest."""
    if not shape.sensor_seconds:
        return 0.0
    return HOURS * 3600 / shape.sensor_seconds * prices.list_or_put_request


def runs(prices: Prices, shape: Shape, per_day: int, minutes: float) -> float:
    """The monthly costs of extracts that each take this many billed minutes."""
    count = per_day * DAYS
    hours = minutes / 60
    task = shape.fargate(prices).of(shape.run_vcpu, shape.run_gb, shape.run_extra_disk_gb, hours)
    task += shape.address(prices, hours)
    task += shape.run_log_mb / 1000 * prices.log_gb
    task += prices.scheduler_tick if shape.scheduled_by_aws else 0.0
    return count * (task + shape.run_requests * prices.list_or_put_request)


def month(prices: Prices, shape: Shape, per_day: int, minutes: float = USUAL_MINUTES) -> float:
    """The bill of a month."""
    return sum(always_on(prices, shape).values()) + runs(prices, shape, per_day, minutes)
