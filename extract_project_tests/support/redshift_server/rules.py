"""What Redshift refuses, and what it has that PostgreSQL does not."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from extract_project.warehouses.postgres import PostgresWarehouse

OWN_PARAMETERS = (
    *("query_group", "describe_field_name_in_uppercase", "navigate_super_null_on_error"),
    *("cast_super_null_on_error", "parse_super_null_on_error", "json_parse_truncate_strings"),
    *("json_parse_dedup_attributes", "spectrum_query_maxerror"),
)
_OWN = re.compile(rf"\b(set|show) ({'|'.join(OWN_PARAMETERS)})\b", re.IGNORECASE)
_LACKING = (
    *("set_config", "json_to_recordset", "json_array_elements_text", "string_agg", "concat_ws"),
    *("unnest", "to_json", "pg_relation_filenode", "format", "to_regclass"),
)
_CALL = re.compile(rf"(?<![.\w])(?:pg_catalog\.)?({'|'.join(_LACKING)})\s*\(", re.IGNORECASE)
_REFUSED = (
    (re.compile(r"^\s*copy\b", re.IGNORECASE), "42601", 'syntax error at or near "("'),
    (re.compile(r"\bsession characteristics\b", re.IGNORECASE), "42601", "syntax error at or near"),
    (re.compile(r"\bset local\b", re.IGNORECASE), "42601", 'syntax error at or near "local"'),
    (re.compile(r"\bextra_float_digits to '?[3-9]"), "22023", "is outside the valid range"),
    (re.compile(r"\barray\s*\[|\blateral\b", re.IGNORECASE), "0A000", "not supported"),
)
_TIMEOUT = re.compile(r"^\s*show statement_timeout\s*$", re.IGNORECASE)
_SCHEMA = """
create schema if not exists redshift;
create table if not exists redshift.sys_query_detail (
    table_id integer, query_id bigint, end_time timestamp, step_name varchar);
create or replace view redshift.svv_columns as
    select table_schema::varchar, table_name::varchar, column_name::varchar, ordinal_position,
        is_nullable::varchar, pg_catalog.col_description(
            format('%I.%I', table_schema, table_name)::regclass, ordinal_position)::varchar remarks
    from information_schema.columns;
create sequence if not exists redshift.queries;
create or replace function redshift.pg_last_query_id() returns bigint language sql
    as $$select nextval('redshift.queries')$$;
create or replace function redshift.strtol(varchar, integer) returns bigint language sql
    as $$select ('x' || lpad($1, 16, '0'))::bit(64)::bigint where $2 = 16$$;
create or replace function redshift.fnv_hash(double precision) returns bigint language sql
    as $$select hashfloat8extended($1, 0)$$;
create table if not exists redshift.role_members (member varchar, role varchar);
create or replace function redshift.user_is_member_of(name, varchar) returns boolean language sql
    as 'select exists (select from redshift.role_members where member = $1 and role = $2)';
grant usage on schema redshift to public;
grant select on all tables in schema redshift to public;
"""


def refusal(text: str) -> tuple[str, str] | None:
    """The code and the message with which Redshift refuses a statement."""
    call = _CALL.search(text)
    if call:
        return "42883", f"function {call[1].lower()} does not exist"
    for pattern, code, message in _REFUSED:
        if pattern.search(text):
            return code, message
    return None


def rewritten(text: str) -> str:
    """A statement of Redshift's, for PostgreSQL."""
    if _TIMEOUT.match(text):
        return (
            "select setting as statement_timeout from pg_settings where name = 'statement_timeout'"
        )
    if _TABLE.match(text):
        return _SUPER.sub("jsonb", _VARBYTE.sub("bytea", text))
    return _OWN.sub(r"\1 redshift.\2", text)


_TABLE = re.compile(r"^create temporary table ")
_VARBYTE, _SUPER = re.compile(r"\bvarbyte\(\d+\)"), re.compile(r"\bsuper\b")


def prepare(postgres: PostgresWarehouse) -> None:
    """Make Redshift's system views and functions."""
    execute(postgres, _SCHEMA)


def execute(postgres: PostgresWarehouse, sql: str) -> Any:
    """Run statements as the superuser, past Redshift; the first row of the last one, if any."""
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchone() if cursor.description else None
