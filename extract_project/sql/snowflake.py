"""The dialect of Snowflake. Its parser is not available, so tokens decide what only reads.

sqlglot's tree adds the tables. If sqlglot does not understand the statement, there is a warning,
and Snowflake decides whether it is valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from extract_project.problem import position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Call, Name, Reading, Text
from extract_project.sql.tokens import Token, name_of
from extract_project.sql.tree import reading_by_tree
from extract_project.sql.words import words

_SHOWS = ("show", "desc", "describe")
# The information functions of Snowflake's reference that start with SYSTEM$ and only report.
_SYSTEM_READS = words(
    """
    allowlist allowlist_privatelink auto_refresh_status behavior_change_bundle_status
    catalog_link_status client_version_info client_vulnerability_info clustering_depth
    clustering_information clustering_ratio current_user_task_name data_metric_scan
    database_refresh_history database_refresh_progress database_refresh_progress_by_job
    estimate_automatic_clustering_costs estimate_query_acceleration
    estimate_search_optimization_costs explain_json_to_text explain_plan_json
    external_table_pipe_status get_all_references get_classification_result get_cmk_config
    get_compute_pool_pending_maintenance get_compute_pool_status get_directory_table_status
    get_hash_for_application get_iceberg_table_information get_job_status get_login_failure_details
    get_predecessor_return_value get_privatelink_config get_privatelink_endpoints_info
    get_referenced_object_id_hash get_resultset_status get_service_dns_domain get_service_logs
    get_service_status get_snowflake_egress_ip_ranges get_snowflake_platform_info get_tag
    get_tag_allowed_values get_tag_on_current_column get_tag_on_current_table get_task_graph_config
    internal_stages_public_access_status
    is_application_all_mandatory_telemetry_event_definitions_enabled
    is_application_authorized_for_telemetry_event_sharing
    is_application_installed_from_same_account is_application_sharing_events_with_provider
    is_global_data_sharing_enabled_for_account is_listing_purchased is_listing_trial
    last_change_commit_time list_application_restricted_features list_iceberg_tables_from_catalog
    list_namespaces_from_catalog pipe_status query_reference reference
    show_active_behavior_change_bundles show_budgets_for_resource show_budgets_in_account
    show_event_sharing_accounts show_streamlits_in_account stream_backlog
    stream_get_table_timestamp stream_has_data
    supported_dbt_versions task_dependents_enabled task_runtime_info typeof verify_cmk_info
    whitelist whitelist_privatelink
    """
)
_SEQUENCES = ("nextval", "getnextval")


class Snowflake:
    """The dialect of Snowflake."""

    name = "snowflake"
    lexicon = tokens.SNOWFLAKE
    type_choices = frozenset({"integers", "timestamps"})
    bills_bytes = False
    unloads = True

    def read(self, text: Text) -> Reading:
        _require_function_names(text)
        steps = _steps(text)
        queries = steps[1:] if text.tokens[0].lower in _SHOWS else steps
        for step in queries:
            fallback.require_query(replace(text, tokens=step))
            _require_columns(replace(text, tokens=step))
        calls = (*fallback.calls(text.tokens), *_sequences(text.tokens))
        if len(steps) == len(queries) == 1:
            return reading_by_tree(text, calls, "snowflake", "Snowflake")
        tables = frozenset[Name]().union(*map(fallback.tables, queries))
        return Reading(calls, tables, tuple(fallback.strictly_after(text)))

    def objection(self, function: Name) -> str | None:
        name = function[-1].lower()
        kind, _, rest = name.partition("$")
        if name in _SEQUENCES or (kind == "system" and rest and rest not in _SYSTEM_READS):
            return "writes, waits, or is not known to only read: an extract may only read"
        return None


def _steps(text: Text) -> list[Sequence[Token]]:
    """The statements joined by `->>`; raises Refused if a later one is not a query."""
    steps: list[list[Token]] = [[]]
    for token in text.tokens:
        if token.text == "->>":
            steps.append([])
        else:
            steps[-1].append(token)
    for step in steps[1:]:
        if not step or step[0].lower not in ("select", "with"):
            wrong = step[0] if step else text.tokens[-1]
            raise refuse(
                *position(text.source, wrong.start),
                f"'->>' runs {wrong.text.lower()!r} here: expected a 'select …' after it, "
                f"because an extract may only read",
            )
    if not steps[0]:
        raise fallback.would_run(text.source, text.tokens[0])
    return list(steps)


def _require_function_names(text: Text) -> None:
    """Raise Refused for `identifier('f')(…)`, which calls a function named by a string."""
    for i, (token, after) in enumerate(pairwise(text.tokens)):
        if token.lower != "identifier" or after.text != "(":
            continue
        end = fallback.closing(text.tokens, i + 1)
        named = "".join(each.text.lower() for each in text.tokens[i + 2 : end])
        if "nextval" in named or [each.text for each in text.tokens[end + 1 : end + 2]] == ["("]:
            raise refuse(
                *position(text.source, token.start),
                "a function is called by a name in a string here: write its name directly, so "
                "that it can be checked",
            )


def _require_columns(text: Text) -> None:
    first, *rest = text.tokens
    if first.lower == "select" and (not rest or rest[0].lower == "from"):
        raise refuse(
            *position(text.source, first.start),
            "the statement selects no column: select the columns to publish",
        )


def _sequences(found: Sequence[Token]) -> Iterator[Call]:
    """`sequence.nextval`, which takes a number from a sequence but does not look like a call."""
    for before, token in pairwise(found):
        if (
            before.text == "."
            and token.kind in ("word", "name")
            and name_of(token).lower() == "nextval"
        ):
            yield Call(("nextval",), token.start)
