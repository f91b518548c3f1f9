"""Checks of warehouses: sign-in works, and the user has no administrator's rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from extract_project.doctor.finding import Finding
from extract_project.errors import ExtractError, WarehouseError
from extract_project.planning.sample import sample
from extract_project.warehouses.protocol import Label, Query, Warehouse

_TIMEOUT = timedelta(seconds=60)
_LABEL = Label("doctor", "none", "doctor")
_POWERS = {
    "clickhouse": "select currentUser() = 'default' or has(currentRoles(), 'default_role') "
    "as answer",
    "databricks": "select is_member('admins') as answer",
    "mysql": "select count(*) > 0 as answer from information_schema.user_privileges "
    "where grantee = concat(quote(substring_index(current_user(), '@', 1)), '@', "
    "quote(substring_index(current_user(), '@', -1))) and privilege_type not in "
    "('USAGE', 'SELECT', 'SHOW DATABASES', 'SHOW VIEW', 'PROCESS')",
    "postgres": "select usesuper as answer from pg_user where usename = current_user",
    "redshift": "select usesuper as answer from pg_user where usename = current_user",
    "snowflake": "select current_role() in "
    "('ACCOUNTADMIN', 'SECURITYADMIN', 'SYSADMIN', 'ORGADMIN', 'USERADMIN') as answer",
}
"""By type of warehouse: a query that tells whether the user or role is an administrator.

DuckDB has none: its file is opened read-only. BigQuery has none either: it tells of rights
only those who may change them. ClickHouse does too, so of it those are known who have all rights as
it is shipped, and in its cloud.
"""


def sign_in(name: str, warehouse: Warehouse) -> Iterator[Finding]:
    """Sign in and run one query; then check, if the type allows it, that the user is no
    administrator."""
    subject = f"warehouse {name}"
    try:
        _answer(warehouse, "select 1 as answer")
    except ExtractError as error:
        fix = f"correct EXTRACT_WAREHOUSES__{name.upper()}__…"
        if isinstance(error, WarehouseError) and error.transient:
            fix = f"check that it is reachable, and {fix}"
        yield Finding(subject, False, str(error), fix)
        return
    yield Finding(subject, True, f"{warehouse.type}: signed in, and 'select 1' answers")
    question = _POWERS.get(warehouse.type)
    if question is None:
        return
    try:
        powerful = _answer(warehouse, question)
    except ExtractError as error:
        yield Finding(f"{subject}: rights", False, str(error), "check its grants by hand")
        return
    if powerful:
        fix = "sign in as a user that has only select, on the tables that are extracted"
        yield Finding(f"{subject}: rights", False, "its user or role is an administrator", fix)
    else:
        yield Finding(f"{subject}: rights", True, "its user or role is not an administrator")


def _answer(warehouse: Warehouse, sql: str) -> object:
    found = sample(warehouse, Query(sql), _LABEL, rows=1, timeout=_TIMEOUT)
    return found.rows.column(0)[0].as_py() if found.rows.num_rows else None
