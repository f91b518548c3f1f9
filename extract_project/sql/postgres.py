"""The dialect of Postgres, parsed by the server's own parser (libpg_query, package pgparse)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from extract_project.problem import Problem, Refused, position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Call, Comparison, Name, Reading, Text
from extract_project.sql.postgres_functions import ACTS, READS
from extract_project.sql.query import Rendered
from extract_project.sql.words import words

_TOKENS = 20_000
"""The parser recurses on the C stack, and could crash the process. Each token may be one level, so
a statement with more tokens is checked by its tokens only.
"""
_SECRETS = words(
    """
    pg_authid pg_shadow pg_user_mapping pg_subscription pg_hba_file_rules pg_file_settings
    pg_ident_file_mappings pg_largeobject pg_user_mappings _pg_user_mappings user_mapping_options
    """
)
_WHERE_SECRETS_ARE = ((), ("pg_catalog",), ("information_schema",))
_BEHIND_TABLES = ("search", "cycle")
"""Clauses between common table expressions and the statement itself."""
_RESERVED = ("pg_", "lo_", "binary_upgrade_", "dblink", "txid_")
_Hidden = frozenset[str]


class Postgres:
    """The dialect of PostgreSQL."""

    name = "postgres"
    lexicon = tokens.POSTGRES
    type_choices = frozenset({"integers", "numeric"})
    bills_bytes = False
    unloads = False

    def read(self, text: Text) -> Reading:
        import pgparse

        if len(text.tokens) > _TOKENS:
            return _by_tokens(text, "it is too long for Postgres' parser")
        rendered = text.render(lambda _: "$1")
        try:
            statements = pgparse.parse(rendered.text)
        except RecursionError:
            return _by_tokens(text, "it nests too deeply for Postgres' parser")
        except pgparse.PGQueryError as error:
            raise _not_sql(text, rendered, error.args[0], error.args[1]) from None
        if len(statements) != 1:
            raise refuse(1, 1, f"Postgres reads {len(statements)} statements here: expected one")
        reader = _Reader(text, rendered)
        return reader.read(statements[0]["stmt"])

    def objection(self, function: Name) -> str | None:
        name = function[-1]
        of_extension = name in _OF_EXTENSIONS or ".".join(function[-2:]) in _OF_EXTENSIONS
        if not _is_of_the_engine(function) and not of_extension:
            return None
        if name in READS:
            return None
        if name in ACTS or of_extension:
            return "writes, waits or reaches outside the database: an extract may only read"
        if name.startswith(_RESERVED):
            return (
                "has the name of a server function that is not known to only read; to call a "
                "function of your own, put its schema in front of it"
            )
        return None


_OF_EXTENSIONS = words(
    """
    connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn dblink_build_sql_delete
    dblink_build_sql_insert dblink_build_sql_update dblink dblink_cancel_query dblink_close
    dblink_connect dblink_connect_u dblink_disconnect dblink_error_message dblink_exec dblink_fetch
    dblink_get_notify dblink_get_result dblink_is_busy dblink_open dblink_send_query
    file_fdw_handler http http_delete http_get http_head http_patch http_post http_put
    http_reset_curlopt http_set_curlopt lo_manage pg_buffercache_evict pg_buffercache_evict_all
    pg_buffercache_evict_relation pg_file_rename pg_file_sync pg_file_unlink pg_file_write
    pg_logdir_ls pg_prewarm pg_stat_statements_reset pg_start_backup pg_stop_backup pg_switch_xlog
    pg_truncate_visibility_map pg_xlog_replay_pause pg_xlog_replay_resume heap_force_freeze
    heap_force_kill postgres_fdw_disconnect postgres_fdw_disconnect_all xpath_table
    query_export_to_s3 table_import_from_s3 aws_lambda.invoke lambda.invoke
    cron.schedule cron.schedule_in_database cron.unschedule cron.alter_job
    pg_background_launch pgmq.send pgmq.read pgmq.pop pgmq.delete pgmq.archive
    run_command_on_all_nodes run_command_on_colocated_placements run_command_on_placements
    run_command_on_shards run_command_on_workers master_run_on_worker
    add_compression_policy add_continuous_aggregate_policy add_job add_retention_policy
    alter_job compress_chunk create_hypertable decompress_chunk delete_job drop_chunks
    """
)
"""Functions of well-known extensions that write or reach outside, in any schema. Names that other
functions could have too are listed with the schema that the extension creates.
"""


def _is_of_the_engine(name: Name) -> bool:
    """Whether a name is looked up in `pg_catalog`: `f`, `pg_catalog.f` or `db.pg_catalog.f`."""
    return name[-2:-1] in ((), ("pg_catalog",))


def _by_tokens(text: Text, reason: str) -> Reading:
    fallback.require_query(text, ("table",))
    for before, token in pairwise(text.tokens):
        if token.kind in ("word", "name"):
            _require_no_secret((tokens.name_of(token),), text, token.start)
        if token.lower == "uescape" or (before.text == ")" and token.lower in _BEHIND_TABLES):
            raise refuse(
                *position(text.source, token.start),
                f"{reason}, and its words do not show what {token.text.lower()!r} does: remove "
                f"it, or make the statement shorter",
            )
    tables = fallback.tables(text.tokens)
    line, column = position(text.source, text.tokens[0].start)
    message = f"{reason}, and was checked only by its words"
    return Reading(
        tuple(fallback.calls(text.tokens)),
        tables,
        tuple(fallback.strictly_after(text)),
        (Problem(line=line, column=column, message=message),),
    )


def _require_no_secret(table: Name, text: Text, offset: int) -> None:
    if table[-1] in _SECRETS and table[-2:-1] in _WHERE_SECRETS_ARE:
        raise refuse(
            *position(text.source, offset),
            f"{table[-1]!r} holds secrets or files of the server: an extract must not read it",
        )


def _not_sql(text: Text, rendered: Rendered, reason: str, place: int) -> Refused:
    """The refusal of a text that the parser rejects, with `place` counted from 1."""
    token = fallback.acting_word(text.tokens)
    if token:
        return fallback.would_run(text.source, token)
    return fallback.not_sql(text, "postgres", reason, rendered.source_offset(place - 1))


class _Reader:
    """One walk through the parser's tree."""

    def __init__(self, text: Text, rendered: Rendered) -> None:
        self._text = text
        self._rendered = rendered
        self._bytes = None if rendered.text.isascii() else rendered.text.encode()
        self._by_start = {each.start: each for each in text.placeholders}
        self._calls: list[Call] = []
        self._tables: set[Name] = set()
        self._strict: list[Comparison] = []
        self._parameters: set[int] = set()

    def read(self, statement: dict[str, Any]) -> Reading:
        ((kind, node),) = statement.items()
        if kind != "SelectStmt":
            word = kind.removesuffix("Stmt").lower()
            first = self._text.tokens[0]
            token = fallback.acting_word(self._text.tokens) or first
            raise fallback.would_run(self._text.source, token, "" if token.lower else word)
        self._require_columns(node)
        self._walk(node)
        for each in self._text.placeholders:
            if each.start not in self._parameters:
                raise refuse(
                    *position(self._text.source, each.start),
                    f"Postgres does not read ':{each.name}' as a value here: put spaces or "
                    f"parentheses around it",
                )
        return Reading(tuple(self._calls), frozenset(self._tables), tuple(self._strict))

    def _require_columns(self, select: dict[str, Any]) -> None:
        while "larg" in select:
            select = select["larg"]
        if "targetList" not in select and "valuesLists" not in select:
            first = self._text.tokens[0]
            raise refuse(
                *position(self._text.source, first.start),
                "the statement selects no column: select the columns to publish",
            )

    def _walk(self, root: Any) -> None:
        waiting: list[tuple[Any, _Hidden]] = [(root, frozenset())]
        while waiting:
            node, hidden = waiting.pop()
            if isinstance(node, list):
                waiting += [(each, hidden) for each in node]
                continue
            if "withClause" in node:
                node, hidden, queries = _with_scope(node, hidden)
                waiting += queries
            parts: dict[str, Any] = node
            for key, value in parts.items():
                if type(value) not in _NODES:
                    continue
                if (key.endswith("Stmt") and key != "SelectStmt") or key in _CLAUSES:
                    raise self._acting(_CLAUSES.get(key) or key.removesuffix("Stmt").lower())
                if key == "FuncCall":
                    self._calls.append(Call(_strings(value["funcname"]), self._offset(value)))
                elif key == "RangeVar":
                    self._add_table(value, hidden)
                elif key == "ParamRef":
                    self._parameters.add(self._offset(value))
                elif key == "A_Expr":
                    self._compare(value)
                if key not in _LEAVES:
                    waiting.append((value, hidden))

    def _acting(self, word: str) -> Refused:
        found = fallback.acting_word(self._text.tokens)
        if not found or found.lower != word:
            first = word.split(maxsplit=1)[0]
            same = [token for token in self._text.tokens if token.lower == first]
            locking = [each for each in same if self._locks(each)] if first == "for" else same
            found = (locking or same or list(self._text.tokens))[-1 if first == "for" else 0]
        return fallback.would_run(self._text.source, found, word)

    def _locks(self, token: tokens.Token) -> bool:
        at = self._text.tokens.index(token) + 1
        return self._text.tokens[at].lower in ("update", "share", "no", "key")

    def _add_table(self, node: dict[str, Any], hidden: _Hidden) -> None:
        parts = [node.get(part) for part in ("catalogname", "schemaname", "relname")]
        name = tuple(part for part in parts if part)
        if len(name) == 1 and name[0] in hidden:
            return
        _require_no_secret(name, self._text, self._offset(node))
        self._tables.add(name)

    def _compare(self, node: dict[str, Any]) -> None:
        operator = _strings(node.get("name", []))
        if not self._by_start or operator not in ((">",), ("<",)):
            return
        side = node.get("rexpr" if operator == (">",) else "lexpr")
        for offset in _parameters(side):
            placeholder = self._by_start.get(self._in_text(offset))
            if placeholder:
                self._strict.append(Comparison(placeholder, operator[0]))

    def _offset(self, node: dict[str, Any]) -> int:
        return self._in_text(node.get("location", 0))

    def _in_text(self, offset: int) -> int:
        """The character offset for the parser's offset, which counts bytes."""
        if self._bytes:
            offset = len(self._bytes[:offset].decode())
        return self._rendered.source_offset(offset)


_LEAVES = frozenset(("A_Const", "ColumnRef", "String", "funcname"))
_NODES = (dict, list)
_CLAUSES = {"intoClause": "into", "lockingClause": "for update"}


def _with_scope(node: dict[str, Any], hidden: _Hidden) -> tuple[dict[str, Any], _Hidden, list[Any]]:
    """The rest of a node with a `with`, the table names hidden in it, and the queries of the
    `with`."""
    clause = node["withClause"]
    defined = [each["CommonTableExpr"] for each in clause["ctes"]]
    within = hidden.union(each["ctename"] for each in defined)
    queries: list[Any] = []
    before = hidden
    for each in defined:
        queries.append((each, within if clause.get("recursive") else before))
        before = before | {each["ctename"]}
    rest = {key: value for key, value in node.items() if key != "withClause"}
    return rest, within, queries


def _strings(names: Sequence[Any]) -> Name:
    return tuple(each["String"]["sval"] for each in names if each.get("String"))


def _parameters(root: Any) -> Iterator[int]:
    """Offsets, in bytes, of the parameters below a node."""
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, dict):
            if "ParamRef" in node:
                yield node["ParamRef"].get("location", 0)
            open_nodes += node.values()
        elif isinstance(node, list):
            open_nodes += node
