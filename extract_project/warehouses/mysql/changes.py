"""When tables were last changed, as far as the server knows; no change is missed.

`information_schema.partitions` has the time of each table's last change, and of each partition's.
For InnoDB that time is not enough. These are the gaps, and what is done about each:

- MariaDB notes when the transaction began, and not when it ended (measured with 10.11.19). While a
  transaction runs that began in the same second, another change would look the same: so until it
  has ended, the table counts as changed. So does a change within the last two seconds.
- TRUNCATE, and an exchange of partitions, leave the times as they are. They give a table another
  id in `information_schema.innodb_tables`.
- A restart forgets all times. So where there is none, the time of the start takes its place.
- A server with more tables than its `table_definition_cache` has room for forgets some. There a
  table without a time counts as changed every hour.

The queries for transactions and ids need the right PROCESS; without it, the server refuses them.
Views, and other engines' tables without a time, are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from extract_project.sql_quoting import backslashed
from extract_project.warehouses.mysql.connection import Connection
from extract_project.warehouses.mysql.names import places_of
from extract_project.warehouses.protocol import TableChange

# Asked before the tables' times, so that a transaction that begins in between began just now. Zones
# differ by quarters of an hour, so within one of them a second is the same in every zone.
_QUARTER = 900
_RUNNING = f"""
select distinct timestampdiff(second, '2000-01-01', trx_started) % {_QUARTER}
from information_schema.innodb_trx where not trx_is_read_only
"""
# The uptime counts from the time of the statement, as now() does: so the difference is exact.
_SERVER = """
select now() - interval 2 second, now(6), unix_timestamp() - uptime.variable_value,
    if(opened.variable_value > @@table_definition_cache, date_format(now(), '%Y-%m-%d %H'), '')
from {status} uptime join {status} opened
where uptime.variable_name = 'Uptime' and opened.variable_name = 'Opened_table_definitions'
"""
_TIMES = """
select asked.number, p.table_schema, p.table_name, t.engine, p.create_time, p.update_time,
    timestampdiff(second, '2000-01-01', p.update_time) % {quarter}
from ({asked}) as asked
join information_schema.tables t on t.table_schema = asked.place and t.table_name = asked.name
join information_schema.partitions p
    on p.table_schema = asked.place and p.table_name = asked.name
where t.table_type = 'BASE TABLE'
order by asked.number, p.partition_ordinal_position, p.subpartition_ordinal_position
"""
# Partitions are `shop/orders#P#p0`. A name that is not plain is written there in another way: then
# the newest id of all tables has to do.
_IDS = """
select group_concat(table_id order by table_id) from information_schema.{tables}
where substring_index(name, '#', 1) = {name}
"""
_NEWEST_ID = "select max(table_id) from information_schema.{tables}"
_PLAIN = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class _Part:
    """A partition of a table, or the whole table if it has none."""

    place: tuple[str, str]
    engine: str
    created: str
    updated: str | None
    second: str | None
    """The second of `updated`, counted within its quarter of an hour."""


@dataclass(frozen=True)
class _Look:
    """What is known of the server at the time of the question."""

    running: frozenset[str | None]
    """The seconds in which the running transactions began, counted like `_Part.second`."""
    recent: str
    """The time from which on a second change might get the same time."""
    now: str
    started: str
    forgets: str
    """The hour, if the server may have forgotten times; else empty."""


def last_changes(connection: Connection, tables: Sequence[str]) -> dict[str, TableChange]:
    """The last change of each table about which the server knows something; raises ServerError."""
    if not tables:
        return {}
    look = _look(connection)
    places = [(table, *place) for table in tables for place in places_of(table)]
    asked = " union all ".join(
        f"select {number} as number, {database} as place, {name} as name"
        for number, (_, database, name) in enumerate(places)
    )
    parts: dict[int, list[_Part]] = defaultdict(list)
    for asked_number, *about in connection.query(_TIMES.format(quarter=_QUARTER, asked=asked)):
        schema, name, engine, created, updated, second = about
        place = (str(schema), str(name))
        part = _Part(place, (engine or "").lower(), str(created), updated, second)
        parts[int(asked_number or 0)].append(part)
    changes: dict[str, TableChange] = {}
    for number, found in parts.items():
        change = _change(connection, found, look)
        if change:
            changes.setdefault(places[number][0], change)
    return changes


def _look(connection: Connection) -> _Look:
    running = frozenset(second for (second,) in connection.query(_RUNNING))
    schema = "information_schema" if connection.is_mariadb else "performance_schema"
    ((recent, now, started, forgets),) = connection.query(
        _SERVER.format(status=f"{schema}.global_status")
    )
    return _Look(running, str(recent), str(now), str(started), forgets or "")


def _change(connection: Connection, parts: Sequence[_Part], look: _Look) -> TableChange | None:
    times = [part.updated for part in parts if part.updated]
    is_innodb = parts[0].engine == "innodb"
    if not is_innodb and len(times) < len(parts):
        return None
    token = ", ".join(f"{part.created} {part.updated}" for part in parts)
    if is_innodb:
        # More than one, where names differ in case only.
        ids = (_ids(connection, place) for place in dict.fromkeys(part.place for part in parts))
        token += f"; {' '.join(map(str, ids))}"
    if len(times) < len(parts):
        token += f"; not known {look.forgets or look.started}"
    if any(part.second in look.running for part in parts) or max(times, default="") >= look.recent:
        token += f"; at {look.now}"
    at = datetime.fromisoformat(max(times)).replace(tzinfo=UTC) if times else None
    return TableChange(token, at)


def _ids(connection: Connection, place: tuple[str, str]) -> str | None:
    tables = "innodb_sys_tables" if connection.is_mariadb else "innodb_tables"
    is_plain = all(_PLAIN.fullmatch(part) for part in place)
    asked = _IDS if is_plain else _NEWEST_ID
    ((ids,),) = connection.query(asked.format(tables=tables, name=backslashed("/".join(place))))
    return ids
