"""The partitions of an extract, and the values that each binds to `:partition_…`.

The header has one word (`daily`), a mapping (`{type: daily, start: 2026-01-01}`), or a list of
keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from extract_project.expected import Expected
from extract_project.manifest.fields.cron import TimeZone
from extract_project.units import Duration, format_duration
from extract_project.values import Value

KEY, START, END = "partition_key", "partition_start", "partition_end"

_EARLIEST = datetime(2020, 1, 1)
"""The default start of partitions. It is fixed, so that no partition ever disappears."""

_EARLIEST_POSSIBLE = (datetime(1900, 1, 1), datetime(2000, 1, 1))
"""The earliest possible start, of most types and of hourly partitions, which are many more."""
_LATEST_POSSIBLE = datetime(2200, 1, 1)

_KEY_FORM = r"^[A-Za-z0-9_.+-]{1,100}$"
_LONGEST_OFFSET = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=28),
}
_FORMATS = {"hourly": "%Y-%m-%d-%H", "daily": "%Y-%m-%d", "weekly": "%Y-%m-%d", "monthly": "%Y-%m"}
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Partition:
    """One partition, with its time window."""

    key: str
    start: datetime | None = None
    """Inclusive, with its time zone; None if partitions are not time windows."""
    end: datetime | None = None
    """Exclusive."""
    before: str | None = None
    """The key of the window before, if there is one."""

    @property
    def values(self) -> Mapping[str, Value]:
        """The values of `:partition_key`, `:partition_start` and `:partition_end`.

        Windows in UTC are bound as timestamps without a time zone. Every session here reads those
        as UTC, so they compare with dates and with timestamps of either kind. Windows of another
        time zone are bound as instants.
        """
        values: dict[str, Value] = {KEY: self.key}
        for name, moment in ((START, self.start), (END, self.end)):
            if moment is not None:
                instant = moment.astimezone(UTC)
                in_utc = str(moment.tzinfo) == "UTC"
                values[name] = instant.replace(tzinfo=None) if in_utc else instant
        return values


def _midnight(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is not None:
        raise ValueError("expected a date or a time without a zone: set the zone with 'timezone'")
    return value


def _as_text(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{str(value).lower()} is not a valid key: put it in quotes")
    return str(value) if isinstance(value, int | date) else value


_MOMENT_SCHEMA = {"type": "string", "format": "date", "examples": ["2026-01-01"]}
Moment = Annotated[NaiveDatetime, BeforeValidator(_midnight), WithJsonSchema(_MOMENT_SCHEMA)]
StaticKey = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=_KEY_FORM)]


class Partitions(BaseModel):
    """All partitions of an extract, in full form: `{type: daily, start: 2026-01-01}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["hourly", "daily", "weekly", "monthly", "static"] = Field(
        description="The length of each time window."
    )
    start: Moment = Field(
        _EARLIEST,
        description="The first partition begins here, or at the first boundary after it.",
    )
    end: Moment | None = Field(None, description="No partition ends after this. Default: no end")
    timezone: TimeZone | None = Field(
        None, description="Time zone of the windows. Default: `timezone` of the header"
    )
    offset: Duration = Field(
        timedelta(),
        description="How long after the full hour, midnight, Monday or the first a window begins.",
    )
    keys: Annotated[
        tuple[StaticKey, ...],
        Expected("letters, digits, '_', '.', '+' and '-', at most 100 of them"),
    ] = Field((), description="The keys of the type `static`; a plain list is short for it.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type == "static":
            twice = sorted(key for key, count in Counter(self.keys).items() if count > 1)
            if twice or not self.keys:
                raise ValueError(
                    f"{', '.join(twice)} is listed twice"
                    if twice
                    else "the list of keys is empty: expected at least one"
                )
            return self
        if self.keys:
            raise ValueError("keys are written as a plain list: 'partitions: [eu, us]'")
        earliest = _EARLIEST_POSSIBLE[self.type == "hourly"]
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment is not None and not earliest <= moment <= _LATEST_POSSIBLE:
                raise ValueError(
                    f"{name!r} is {moment}: expected a time from {earliest:%Y} to "
                    f"{_LATEST_POSSIBLE:%Y}, since Dagster lists every {self.type} partition"
                )
        longest = _LONGEST_OFFSET[self.type]
        if self.offset >= longest or self.offset % _MINUTE:
            raise ValueError(
                f"'offset' is {format_duration(self.offset)}: expected whole minutes, and less "
                f"than {format_duration(longest)} for {self.type} partitions"
            )
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"'end' ({self.end}) is not after 'start' ({self.start})")
        return self

    @property
    def bound_names(self) -> tuple[str, ...]:
        """The `:name`s that these partitions provide."""
        return (KEY,) if self.type == "static" else (KEY, START, END)

    def accepts(self, key: str) -> bool:
        """Whether it is a key of the list, or has the form of a window's start."""
        if self.type == "static":
            return key in self.keys
        try:
            return datetime.strptime(key, self.key_format).strftime(self.key_format) == key
        except ValueError:
            return False

    def example(self, zone: ZoneInfo) -> Partition:
        """An example of a partition; all partitions have values of the same types."""
        if self.type == "static":
            return Partition(self.keys[0])
        start = self.start.replace(tzinfo=zone)
        end = start + _LONGEST_OFFSET[self.type]
        return Partition(start.strftime(self.key_format), start, end)

    @property
    def key_format(self) -> str:
        """The `strftime` format that makes a window's start its key."""
        return _FORMATS[self.type]

    @property
    def form_of_keys(self) -> str | None:
        """Like `key_format`; None if partitions are not windows of time."""
        return _FORMATS.get(self.type)

    @property
    def cron(self) -> str:
        """A cron of the times at which windows begin."""
        hours, minutes = divmod(int(self.offset / _MINUTE), 60)
        days, hours = divmod(hours, 24)
        return {
            "hourly": f"{minutes} * * * *",
            "daily": f"{minutes} {hours} * * *",
            "weekly": f"{minutes} {hours} * * {(days + 1) % 7}",
            "monthly": f"{minutes} {hours} {days + 1} * *",
        }[self.type]


def read_partitions(value: Any) -> Any:
    """Expand the short forms to the full mapping."""
    if isinstance(value, str):
        return {"type": value}
    if isinstance(value, list):
        return {"type": "static", "keys": value}
    if isinstance(value, dict) and "type" not in value:
        raise ValueError(
            "lacks 'type': expected hourly, daily, weekly or monthly, as in "
            "{type: daily, start: 2026-01-01}"
        )
    if isinstance(value, Partitions | dict):
        return value
    raise ValueError("expected hourly, daily, weekly, monthly, a mapping, or a list of keys")
