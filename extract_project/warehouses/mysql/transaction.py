"""A read-only transaction, in a session whose settings are fixed.

Settings of the server, or those of its `init_connect`, would change the published data without a
change of the SQL. So each setting here is the server's own default as it is shipped, or what files
need. Not set are

- the collation of literals (`collation_connection`): a literal has to compare with this server's
  tables as it does in the author's console;
- what only chooses a plan (`optimizer_switch`).

Of the time limits, the lower of the server's and ours applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, inf

from extract_project.sql_quoting import literal
from extract_project.warehouses.mysql.connection import Connection

BEGIN = "start transaction read only"
"""Without a snapshot at once: see `docs/mysql.md`."""
END = "rollback"

# Without ERROR_FOR_DIVISION_BY_ZERO: with it each such NULL of a `select` warns, and the server
# keeps only so many warnings.
_MODE_OF_MARIADB = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
_MODE_OF_MYSQL = f"ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,{_MODE_OF_MARIADB}"
_ALL = 2**64 - 1
"""The limit of rows that is none."""
MOST_WARNINGS = 2**16 - 1
"""How many warnings the server keeps at most, and how many it counts in the protocol."""
_VALUES: Mapping[str, str | int] = {
    "time_zone": "+00:00",
    "timestamp": "DEFAULT",  # now() is now
    "old_mode": "UTF8_IS_UTF8MB3",  # MariaDB's: what casts of times and `utf8` mean
    # What the server has changed is known by its warnings alone, of which some are notes.
    "max_error_count": MOST_WARNINGS,
    "sql_notes": 1,
    "note_verbosity": "basic,explain",
    # Errors quote what is at fault in words that are looked for.
    "lc_messages": "en_US",
    # What functions and operators give.
    "lc_time_names": "en_US",
    "default_week_format": 0,
    "div_precision_increment": 4,
    "group_concat_max_len": 2**32 - 1,
    "block_encryption_mode": "aes-128-ecb",
    "default_regex_flags": "",
    "windowing_use_high_precision": 1,
    # Which rows there are, and in what order.
    "sql_auto_is_null": 0,
    "sql_big_selects": 1,
    "max_sort_length": 1024,
    "max_recursive_iterations": 2**32 - 1,  # MariaDB leaves out what comes after
    "cte_max_recursion_depth": 2**32 - 1,
    "system_versioning_asof": "DEFAULT",
    "wsrep_dirty_reads": 0,  # a node that has lost its cluster has old rows
    # The state of the transaction.
    "autocommit": 1,
    "completion_type": "NO_CHAIN",
    "transaction_isolation": "REPEATABLE-READ",
    "tx_isolation": "REPEATABLE-READ",
    # Statistics are current, and not a day old.
    "information_schema_stats_expiry": 0,
}
_LIMITS: Mapping[str, int] = {"max_statement_time": 1, "max_execution_time": 1000}
"""The time limits of MariaDB and of MySQL, and how many of their units make a second."""
_MOST_SECONDS = 4_000_000
"""A little less than the longest time that MySQL can count in milliseconds."""
_LOCK_WAIT = "lock_wait_timeout"
_PATIENT = ("net_write_timeout", "net_read_timeout", "wait_timeout")
"""Seconds after which the server drops a connection; the first, while rows wait to be read."""


@dataclass(frozen=True)
class Limit:
    """After how many seconds the server ends a statement by itself."""

    seconds: float
    is_ours: bool


def fix_settings(connection: Connection, limit: timedelta) -> Limit:
    """Fix the settings of the session; `limit` is the time limit of each statement."""
    mode = _MODE_OF_MARIADB if connection.is_mariadb else _MODE_OF_MYSQL
    connection.query("set names utf8mb4")
    # First the settings that would change the statements below, or their answers.
    connection.query(f"set session sql_mode = {literal(mode)}, session sql_select_limit = {_ALL}")
    names = (*_VALUES, *_LIMITS, *_PATIENT, _LOCK_WAIT)
    listed = ", ".join(map(literal, names))
    known = {
        str(name).lower(): value or ""
        for name, value in connection.query(
            f"show session variables where variable_name in ({listed})"
        )
    }
    values = {name: _shown(value) for name, value in _VALUES.items() if name in known}
    ours = min(ceil(limit.total_seconds()), _MOST_SECONDS)
    theirs = inf
    for name, unit in _LIMITS.items():
        if name in known:
            theirs = float(known[name]) / unit or inf
            if ours < theirs:
                values[name] = str(ours * unit)
    values |= {name: str(ours) for name in _PATIENT if name in known}
    if _LOCK_WAIT in known:
        values[_LOCK_WAIT] = str(min(int(known[_LOCK_WAIT]), ours))
    pairs = ", ".join(f"session {name} = {value}" for name, value in values.items())
    connection.query(f"set {pairs}")
    return Limit(min(ours, theirs), is_ours=ours <= theirs)


def _shown(value: str | int) -> str:
    return str(value) if isinstance(value, int) or value == "DEFAULT" else literal(value)
