"""Partitions of an extract: which there are, and what each binds to `:partition_…`.

Written in the header as one word (`daily`), as a mapping (`{type: daily, start: 2026-01-01}`), or
as a list of keys of one's own.
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

from extract_project.manifest.fields.cron import TimeZone
from extract_project.units import Duration, format_duration
from extract_project.values import Value

KEY, START, END = "partition_key", "partition_start", "partition_end"

_EARLIEST = datetime(2020, 1, 1)
"""Where partitions begin that say nothing of it: fixed, so that no partition ever disappears."""

_EARLIEST_POSSIBLE = (datetime(1900, 1, 1), datetime(2000, 1, 1))
"""Of other partitions, and of hourly ones, of which there are more."""
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
    """One partition, and the window of time that it stands for."""

    key: str
    start: datetime | None = None
    """Inclusive, with its time zone; None where partitions are no windows of time."""
    end: datetime | None = None
    """Exclusive."""
    before: str | None = None
    """Key of the window before, where there is one."""

    @property
    def values(self) -> Mapping[str, Value]:
        """What is bound to `:partition_key`, `:partition_start` and `:partition_end`.

        Windows in UTC are bound as timestamps without a time zone, which every session here takes
        for UTC, so that they compare with dates and with timestamps of either kind. Windows of
        another time zone are instants.
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
        raise ValueError("expected a date or a time without a zone: 'timezone' says which it is in")
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
        description="How long each window of time is."
    )
    start: Moment = Field(
        _EARLIEST,
        description="The first partition begins here, or at the first boundary after it.",
    )
    end: Moment | None = Field(
        None, description="No partition ends after this. Default: they go on"
    )
    timezone: TimeZone | None = Field(
        None, description="Time zone of the windows. Default: `timezone` of the header"
    )
    offset: Duration = Field(
        timedelta(),
        description="How long after the full hour, midnight, Monday or the first a window begins.",
    )
    keys: tuple[StaticKey, ...] = Field(
        (), description="The keys of the type `static`, which a plain list stands for."
    )

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
        """The `:name`s that have a value."""
        return (KEY,) if self.type == "static" else (KEY, START, END)

    def accepts(self, key: str) -> bool:
        """Whether it is a key of the list, or is written as the start of a window."""
        if self.type == "static":
            return key in self.keys
        try:
            return datetime.strptime(key, self.key_format).strftime(self.key_format) == key
        except ValueError:
            return False

    def example(self, zone: ZoneInfo) -> Partition:
        """One partition, whose values have the types that those of every other have."""
        if self.type == "static":
            return Partition(self.keys[0])
        start = self.start.replace(tzinfo=zone)
        end = start + _LONGEST_OFFSET[self.type]
        return Partition(start.strftime(self.key_format), start, end)

    @property
    def key_format(self) -> str:
        """How a window's start is written as its key, for `strftime`."""
        return _FORMATS[self.type]

    @property
    def cron(self) -> str:
        """The moments at which windows begin."""
        hours, minutes = divmod(int(self.offset / _MINUTE), 60)
        days, hours = divmod(hours, 24)
        return {
            "hourly": f"{minutes} * * * *",
            "daily": f"{minutes} {hours} * * *",
            "weekly": f"{minutes} {hours} * * {(days + 1) % 7}",
            "monthly": f"{minutes} {hours} {days + 1} * *",
        }[self.type]


def read_partitions(value: Any) -> Any:
    """The short forms as the mapping that they stand for."""
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
