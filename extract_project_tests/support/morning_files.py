"""The 200 extracts of a staged morning, and what is true of each when the questions are asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from extract_project.status.reason import Kind, State

_FINE = 123
"""To make 200 of all."""
_SLOW = "select max(hash(i) >> 1) as n from range({}) as numbers(i)"
"""Some seconds of work: its process is stopped while it runs."""
_NEVER = "3 4 1 1 *"


@dataclass(frozen=True)
class Staged:
    """One extract: its SQL file, and what commands have to say of it."""

    path: str
    text: str
    state: State
    kinds: tuple[Kind, ...] = ()
    """Kinds of the reasons that must be given; the first of them has to be the first one."""
    published: bool = True
    """Whether it has a version when the morning begins."""
    outcomes: tuple[str, ...] = ()
    """Of its runs in this morning, with the cause of a failure: `failed: sql`."""

    @property
    def folder(self) -> str:
        return self.path.partition("/")[0]


def from_the_start() -> Iterator[Staged]:
    """What is there when the installation starts: all but those with a tick of this morning."""
    silent = Kind.DAEMON_SILENT
    for n in range(8):
        yield Staged(f"late/demand_{n}", _sql("freshness: 1m"), State.LATE, (Kind.LATE,))
        header = f"freshness: 1m\nschedule: '{_NEVER}'"
        yield Staged(f"late/due_{n}", _sql(header), State.LATE, (Kind.LATE, silent))
    for n in range(6):
        header = "schedule: '7 3 1 1 *'"
        yield Staged(f"off/yearly_{n}", _sql(header), State.DISABLED, (silent, Kind.STARTER_OFF))
    yield from _with_others()
    for n in range(3):
        header = f"schedule: '{_NEVER}'\nenabled: false"
        yield Staged(f"disabled/by_{n}", _sql(header), State.DISABLED, (Kind.DISABLED,))
        yield Staged(
            f"invalid/typo_{n}", "selec 1", State.INVALID, (Kind.INVALID,), published=False
        )
        yield Staged(
            f"bad/fails_{n}",
            _sql("retries: {max: 0}", "select error('no such day') as n"),
            State.FAILED,
            (Kind.FAILED, Kind.ON_DEMAND),
            outcomes=("failed: sql",),
        )
    for n in range(2):
        yield Staged(
            f"bad/refused_{n}",
            _sql("checks: [{min_rows: 9}]"),
            State.REFUSED,
            (Kind.REFUSED, Kind.ON_DEMAND),
            outcomes=("refused: audit refused",),
        )
        yield Staged(
            f"running/long_{n}", _slow(n), State.RUNNING, (Kind.RUNNING,), outcomes=("running",)
        )
        yield Staged(
            f"queued/after_{n}",
            _sql("description: launched while the daemon is dead"),
            State.HELD,
            (Kind.QUEUED, silent),
            outcomes=("queued",),
        )
    yield Staged(
        "superseded/twice",
        _slow(8),
        State.FINE,
        (Kind.ON_DEMAND,),
        published=False,
        outcomes=("failed: superseded", "succeeded"),
    )
    for n in range(_FINE):
        header = f"schedule: '{_NEVER}'" if n % 2 else "description: on demand"
        kind = silent if n % 2 else Kind.ON_DEMAND
        yield Staged(f"fine/extract_{n:03}", _sql(header), State.FINE, (kind,))


def _with_others() -> Iterator[Staged]:
    """Those that wait for others, or stand in their way."""
    silent = Kind.DAEMON_SILENT
    yield Staged("calm/up", _sql("description: new data starts others"), State.FINE)
    slow = _slow(7, "pool: narrow")
    yield Staged("pool/holder", slow, State.RUNNING, (Kind.RUNNING,), outcomes=("running",))
    for n in range(3):
        yield Staged(f"calm/down_{n}", _sql("depends_on: calm/up"), State.FINE, (silent,))
        yield Staged(
            f"waiting/on_failed_{n}",
            _sql(f"depends_on: bad/fails_{n}"),
            State.WAITING,
            (silent, Kind.UPSTREAM_FAILED),
        )
        yield Staged(
            f"waiting/on_running_{n}",
            _sql("depends_on: running/long_0"),
            State.WAITING,
            (silent, Kind.UPSTREAM_RUNNING),
        )
        yield Staged(
            f"pool/behind_{n}",
            _sql("pool: narrow"),
            State.HELD,
            (Kind.POOL_FULL,),
            outcomes=("waits",),
        )


def at_the_tick(tick: datetime) -> Iterator[Staged]:
    """One that fails at a tick, and those that wait for it."""
    yield Staged(
        "tick/fails",
        _sql(f"schedule: '{_cron(tick)}'\nretries: {{max: 0}}", "select error('no tick') as n"),
        State.FAILED,
        (Kind.FAILED, Kind.DAEMON_SILENT),
        outcomes=("failed: sql",),
    )
    for n in range(3):
        yield Staged(
            f"waiting/at_tick_{n}",
            _sql(f"depends_on: tick/fails\nschedule: '{_cron(tick)}'"),
            State.WAITING,
            (Kind.DAEMON_SILENT, Kind.UPSTREAM_FAILED),
        )


def before_the_tick(tick: datetime) -> Staged:
    """The file that is pushed some seconds before a tick; its schedule is its own."""
    return Staged(
        "pushed/at_tick",
        _sql(f"schedule: '{_cron(tick)}'\ntimezone: Etc/UTC"),
        State.FINE,
        (Kind.DAEMON_SILENT,),
        published=False,
        outcomes=("succeeded",),
    )


def missed_tick(tick: datetime) -> list[Staged]:
    """Those whose tick comes when the daemon is dead."""
    text, kinds = _sql(f"schedule: '{_cron(tick)}'"), (Kind.TICK_MISSED, Kind.DAEMON_SILENT)
    return [Staged(f"overdue/at_{n}", text, State.OVERDUE, kinds) for n in range(20)]


FAST = "select 1 as n"
"""The SQL that overtakes the slow one."""


def _sql(header: str, sql: str = FAST) -> str:
    return f"/*---\n{header}\n---*/\n{sql}"


def _slow(number: int, header: str = "description: takes a while") -> str:
    return _sql(header, _SLOW.format(3_000_000_000 + number))


def _cron(moment: datetime) -> str:
    return f"{moment.minute} {moment.hour} * * *"
