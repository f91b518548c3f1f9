"""The settings of each request: whatever decides rows, values or their end is never inherited.

A user's profile, or the server's, can change any setting
(https://clickhouse.com/docs/operations/settings/settings). These are ClickHouse's own defaults,
except where a comment says why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

_LATE = timedelta(minutes=1)
"""How long after our own deadline the server ends a query by itself."""

_OVERFLOW = {
    f"{each}_overflow_mode": "throw"
    for each in ("read", "group_by", "sort", "set", "join", "distinct", "transfer", "result")
} | {
    "timeout_overflow_mode": "throw",
    "read_overflow_mode_leaf": "throw",
    "timeout_overflow_mode_leaf": "throw",
}
"""The other mode, `break`, ends a result early as if it were whole."""
_ROWS = {
    "limit": "0",
    "offset": "0",
    "max_result_rows": "0",
    "max_result_bytes": "0",
    "extremes": "0",
    "final": "0",
    "additional_table_filters": "{}",
    "additional_result_filter": "",
    "use_query_cache": "0",  # an earlier answer
    "skip_unavailable_shards": "0",
    "fallback_to_stale_replicas_for_distributed_queries": "0",  # not the default: old rows
    "distributed_product_mode": "deny",
    "join_use_nulls": "0",
    "join_default_strictness": "ALL",
    "any_join_distinct_right_table_keys": "0",
    "union_default_mode": "",
    "except_default_mode": "ALL",
    "intersect_default_mode": "ALL",
    "transform_null_in": "0",
    "group_by_use_nulls": "0",
    "empty_result_for_aggregation_by_empty_set": "0",
    "totals_mode": "after_having_exclusive",
    "prefer_column_name_to_alias": "0",
}
_VALUES = {
    "session_timezone": "UTC",  # not the default, which is the server's
    "date_time_overflow_behavior": "throw",  # not the default: a date beyond becomes another
    "date_time_input_format": "basic",
    "date_time_output_format": "simple",
    "cast_keep_nullable": "0",
    "cast_ipv4_ipv6_default_on_conversion_error": "0",
    "data_type_default_nullable": "0",
    "aggregate_functions_null_for_empty": "0",
    "decimal_check_overflow": "1",
    "output_format_decimal_trailing_zeros": "0",
    "enable_extended_results_for_datetime_functions": "0",
}
_FORM = {
    "enable_http_compression": "0",
    "wait_end_of_query": "0",  # the stream itself proves that it is whole
    "http_write_exception_in_output_format": "0",
    "output_format_arrow_string_as_string": "0",  # text of ours is checked to be UTF-8
    "output_format_arrow_fixed_string_as_fixed_byte_array": "1",
    "output_format_arrow_low_cardinality_as_dictionary": "0",
    "output_format_arrow_compression_method": "lz4_frame",
    "output_format_json_named_tuples_as_objects": "1",
    "describe_include_subcolumns": "0",
    "max_block_size": "16384",  # not the default: one block is one batch in our memory
}
_ALWAYS = {
    **_OVERFLOW,
    **_ROWS,
    **_VALUES,
    **_FORM,
    # 1, not 2: a query can then change no setting, and no table function reaches outside.
    "readonly": "1",
    "cancel_http_readonly_queries_on_client_close": "1",
}


def fixed_settings(timeout: timedelta, comment: str) -> Mapping[str, str]:
    """The settings of each query. `comment` is shown in the query log."""
    seconds = str(max(1, int((timeout + _LATE).total_seconds())))
    return {
        **_ALWAYS,
        "max_execution_time": seconds,
        # How long the server waits for us while we write: not the default of half a minute.
        "http_send_timeout": seconds,
        "log_comment": comment,
    }
