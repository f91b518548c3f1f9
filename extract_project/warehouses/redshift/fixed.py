"""The parameters of a session that decide rows, values or their text.

A user, a parameter group or a workgroup may set each of them to something else, and the published
data would change without a change of the SQL. Each one here has Redshift's default, or what files
need: https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html and
https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html.

Not set are `search_path`, `enable_case_sensitive_identifier` and `downcase_delimited_identifier`:
they say which tables and columns the author's names mean, in a run as in the author's console.
"""

from __future__ import annotations

from datetime import timedelta

from extract_project.warehouses.libpq.connection import Connection
from extract_project.warehouses.redshift.names import quoted

_FIXED = {
    "datestyle": "ISO, YMD",
    "timezone": "UTC",
    "extra_float_digits": "2",  # the most: 17 digits, which tell every double from all others
    "describe_field_name_in_uppercase": "off",
    "navigate_super_null_on_error": "on",
    "cast_super_null_on_error": "on",
    "parse_super_null_on_error": "off",
    "json_parse_truncate_strings": "off",
    "json_parse_dedup_attributes": "off",
    "spectrum_query_maxerror": "-1",  # no row of an external table may be left out
}
_MOST_MILLISECONDS = 2**31 - 1


def fix(connection: Connection, query_group: str, limit: timedelta) -> float:
    """Set the parameters of a session; returns after how many seconds it ends a statement.

    That is `limit`, or the user's own `statement_timeout` if it is lower.
    """
    ((own,),) = connection.query("show statement_timeout")
    milliseconds = min(int(limit.total_seconds() * 1000), _MOST_MILLISECONDS)
    if own and own.isdigit():
        milliseconds = min(int(own) or milliseconds, milliseconds)
    values = {**_FIXED, "query_group": query_group, "statement_timeout": str(milliseconds)}
    connection.script("; ".join(f"set {name} to {quoted(value)}" for name, value in values.items()))
    return milliseconds / 1000
