"""A transaction in which everything that decides rows, values or their text is ours.

What a role, a database or the server's configuration set would change what is published without a
change of the SQL, so each setting here is Postgres' own default, or what files need. They are set
in the transaction alone: a pooled connection has them no longer when the transaction has ended.

Left to the user are:

- `search_path`: it says which tables the author's unqualified names mean, and a file means in a
  run what it means in the author's console. It is the role's or the database's: not what another
  client of a pooled connection has set, and that client's temporary tables come last;
- `row_security`: it hides no row, it only turns hiding into an error;
- `lock_timeout`: a limit of ours would be that of the statement, which is set;
- `lc_messages`: only a superuser may set it; errors are understood by their codes;
- the settings of extensions, which cannot be known (`pg_trgm.similarity_threshold`, …).

A limit on time is the lower one of the user's and ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extract_project.warehouses.postgres.connection import Connection

# Read committed, so that the rows are those of a moment at which every lock is held already: an
# older snapshot shows a table empty that was truncated or rewritten meanwhile (PostgreSQL's
# manual, "Serialization failure handling" and "Caveats").
_BEGIN = "begin isolation level read committed, read only"
_OWN_ROLE = "set local role to default"
"""Another client of a pooled connection may have left its own, which sees other rows."""
_END = "rollback"
"""Nothing was written, and a setting that a function made for the session goes too."""
LOCKING = "explain (costs off) "
"""Before a described statement: planning it locks the partitions that it reads too.

One that is being truncated and filled again, as loads do it, is waited for here; the COPY would
wait for it with a snapshot of before, to which it looks empty.
"""

_VALUES = {
    # Text: of the statement, of names and of values.
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
    # What `to_char`, `money` and `to_tsvector` make of values.
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_text_search_config": "pg_catalog.simple",
    # How the SQL is read: as the guard has read it.
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    # Which rows there are.
    "gin_fuzzy_search_limit": "0",
}
_STATEMENT_TIMEOUT = "statement_timeout"
_LIMITS = (_STATEMENT_TIMEOUT, "transaction_timeout", "idle_in_transaction_session_timeout")
_MOST_MILLISECONDS = 2**31 - 1

# Of the settings that this server knows: older ones lack some. The views and functions are named
# with their schema because a search_path may put others before them.
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
    """A transaction that has begun."""

    backend: str
    """Process id of the server's side, also behind a pooler."""
    statement_seconds: float
    """After which the server ends a statement by itself."""


def begin(connection: Connection, limit: timedelta) -> Begun:
    """Begin a transaction; `limit` is the most that it and each of its statements may take."""
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
