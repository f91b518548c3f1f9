"""A transaction in which all settings that affect rows, values or their text are fixed.

Settings of a role, a database or the server's configuration would change the published data
without a change of the SQL. So each setting here is Postgres' own default, or what files need. They
are set only in the transaction: a pooled connection loses them when the transaction ends.

Not set here are:

- `search_path`: it says which tables the author's unqualified names mean, so that a file means the
same in a run and in the author's console. The role's or the database's is used, not that of another
client of a pooled connection, and that client's temporary tables come last;
- `row_security`: it hides no row, it only turns hiding into an error;
- `lock_timeout`: the statement's limit, which is set, covers it;
- `lc_messages`: only a superuser may set it; errors are understood by their codes;
- the settings of extensions, which cannot be known (`pg_trgm.similarity_threshold`, …).

Of the time limits, the lower of the user's and ours applies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extract_project.warehouses.libpq.connection import Connection

# Read committed, so that the rows are read at a time when every lock is already held: in an older
# snapshot, a table that was truncated or rewritten meanwhile is empty (PostgreSQL's manual,
# "Serialization failure handling" and "Caveats").
_BEGIN = "begin isolation level read committed, read only"
_OWN_ROLE = "set local role to default"
"""Another client of a pooled connection may have left its role, which may see other rows."""
_END = "rollback"
"""Roll back: nothing was written, and session settings made by functions are undone too."""
LOCKING = "explain (costs off) "
"""Prefix of the described statement: planning it locks the partitions that it reads too.

If a load is truncating and refilling a partition, this waits for it. The COPY would wait too, but
with an older snapshot in which the partition is empty.
"""

_VALUES = {
    # Text of the statement, of names and of values.
    "client_encoding": "UTF8",
    # How values become text, and constants in the SQL become values.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "bytea_output": "hex",
    "extra_float_digits": "1",  # the shortest digits that are exact
    "xmlbinary": "base64",
    "xmloption": "content",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    # The output of `to_char`, `money` and `to_tsvector`.
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_text_search_config": "pg_catalog.simple",
    # The SQL is parsed as the guard has parsed it.
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    # Which rows there are.
    "gin_fuzzy_search_limit": "0",
}
_STATEMENT_TIMEOUT = "statement_timeout"
_LIMITS = (_STATEMENT_TIMEOUT, "transaction_timeout", "idle_in_transaction_session_timeout")
_MOST_MILLISECONDS = 2**31 - 1

# Only settings that this server has: older ones lack some. Views and functions have their schema,
# because a search_path may put others before them.
_SET = f"""
select pg_catalog.set_config(name, wanted, true), name, wanted, pg_catalog.pg_backend_pid()
from (
    select s.name, v.value as wanted
    from pg_catalog.pg_settings s
    join (values {", ".join(f"('{name}', '{value}')" for name, value in _VALUES.items())})
      as v (name, value) on v.name = s.name
    union all
    select name, least(nullif(setting::bigint, 0), $1::bigint)::varchar
    from pg_catalog.pg_settings where name in ({", ".join(f"'{name}'" for name in _LIMITS)})
    union all
    select name, pg_catalog.concat_ws(', ', nullif(reset_val, ''), 'pg_temp')
    from pg_catalog.pg_settings where name = 'search_path'
) as settings
"""


@dataclass(frozen=True)
class Begun:
    """An open transaction."""

    backend: str
    """The process id of the server process, also behind a pooler."""
    statement_seconds: float
    """Seconds after which the server ends a statement by itself."""


def begin(connection: Connection, limit: timedelta) -> Begun:
    """Begin a transaction; `limit` is the time limit for it and for each of its statements."""
    milliseconds = min(int(limit.total_seconds() * 1000), _MOST_MILLISECONDS)
    connection.query(_BEGIN)
    connection.query(_OWN_ROLE)
    rows = connection.query(_SET, [str(milliseconds)])
    wanted = {name: value for _, name, value, _ in rows}
    return Begun(
        backend=str(rows[0][3]),
        statement_seconds=int(wanted[_STATEMENT_TIMEOUT] or milliseconds) / 1000,
    )


def end(connection: Connection) -> None:
    connection.query(_END)
