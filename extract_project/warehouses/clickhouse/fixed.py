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
_LANGUAGE = {
    "compatibility": "",  # the defaults of an older version, for all settings that are not here
    "dialect": "clickhouse",
    "allow_experimental_analyzer": "1",
    "enable_positional_arguments": "1",
    "prefer_column_name_to_alias": "0",
    "asterisk_include_materialized_columns": "0",
    "asterisk_include_alias_columns": "0",
    "legacy_column_name_of_tuple_literal": "0",
}
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
    "empty_result_for_aggregation_by_constant_keys_on_empty_set": "1",
    "join_any_take_last_row": "0",
    "apply_deleted_mask": "1",
    "do_not_merge_across_partitions_select_final": "0",
    "distributed_group_by_no_merge": "0",
    "optimize_skip_unused_shards": "0",
    "optimize_trivial_approximate_count_query": "0",
    "partial_result_on_first_cancel": "0",
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
    "count_distinct_implementation": "uniqExact",
    "formatdatetime_f_prints_single_zero": "0",
    "formatdatetime_parsedatetime_m_is_month_name": "1",
    "formatdatetime_format_without_leading_zeros": "0",
    "parsedatetime_parse_without_leading_zeros": "1",
    "splitby_max_substrings_includes_remaining_string": "0",
    "function_json_value_return_type_allow_nullable": "0",
    "function_json_value_return_type_allow_complex": "0",
    "function_locate_has_mysql_compatible_argument_order": "1",
    "function_visible_width_behavior": "1",
    "geo_distance_returns_float64_on_float64_arguments": "1",
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
    **_LANGUAGE,
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
