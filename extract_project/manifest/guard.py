"""One read-only statement per file: everything else is refused before any warehouse sees it (G7).

This is the first line of defence, and the one that can say which line to change. Behind it stand
the warehouse's own: DuckDB's parser and a read-only database, a read-only transaction in Postgres,
a role without write grants in Snowflake.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from extract_project.manifest.incremental import WATERMARK
from extract_project.manifest.parameters import find_placeholders
from extract_project.manifest.problem import Refused, position, refuse
from extract_project.warehouses.protocol import Placeholder

_READS = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Pivot)
_SHOWS = (exp.Show, exp.Describe, exp.Summarize)
_STREAMS_SHOW = ("duckdb", "snowflake")
_WRITES = (exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command, exp.Copy, exp.Drop, exp.Set)

_POSTGRES = {
    *("nextval", "setval", "set_config", "query_to_xml", "dblink", "dblink_exec"),
    *("pg_cancel_backend", "pg_terminate_backend", "pg_reload_conf", "pg_rotate_logfile"),
    *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_notify", "pg_logical_emit_message"),
    *("lo_import", "lo_export", "lo_create", "lo_unlink", "lo_put", "lo_from_bytea", "lowrite"),
    *("pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock", "pg_sleep"),
    *("pg_create_restore_point", "pg_switch_wal", "pg_promote", "pg_drop_replication_slot"),
}
_SIDE_EFFECTS = {
    "duckdb": {"nextval", "setval", "write_log", "checkpoint", "force_checkpoint", "set_config"},
    "postgres": _POSTGRES,
    "snowflake": set[str](),
}
DIALECTS = tuple(_SIDE_EFFECTS)
"""The SQL dialects that the guard knows."""

_SYSTEM_READS = {"system$typeof", "system$last_change_commit_time", "system$clustering_information"}
_STATEMENT_WORDS = {
    *(TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE, TokenType.INTO),
    *(TokenType.CREATE, TokenType.DROP, TokenType.ALTER, TokenType.TRUNCATE, TokenType.COPY),
    *(TokenType.COMMAND, TokenType.SET, TokenType.USE, TokenType.EXECUTE, TokenType.FOR),
}


_CLASS = re.compile(r"<class '[\w.]*\.(\w+)'>")


@dataclass(frozen=True)
class Statement:
    """The one statement of a file."""

    tree: exp.Expr
    tokens: tuple[Token, ...]
    """Comments and white space are not among them."""
    placeholders: tuple[Placeholder, ...]

    @property
    def end(self) -> int:
        """Where it ends in the text: before a semicolon, and what may follow."""
        return self.tokens[-1].end + 1


def read_statement(text: str, dialect: str, params: Collection[str] = ()) -> Statement:
    """Parse the one read-only statement of a text, in which `params` can stand as `:name`.

    Raises Refused with the line and column of a syntax error, of an unknown `:name`, of a second
    statement, or of what would write. `dialect` is the type of the warehouse that it is for.
    """
    try:
        tokens = sqlglot.Dialect.get_or_raise(dialect).tokenize(text)
    except TokenError as error:
        raise refuse(
            text.count("\n") + 1,
            1,
            f"the SQL cannot be read to its end: a string, name or comment is not closed "
            f"({_lower(str(error).splitlines()[0])})",
        ) from None
    tokens = _one_statement(text, tokens)
    placeholders = find_placeholders(text, tokens, params)
    tree = _parse(_with_literals(text, placeholders), dialect)
    _require_read_only(tree, text, tokens, dialect)
    return Statement(tree, tuple(tokens), placeholders)


def _with_literals(text: str, placeholders: Sequence[Placeholder]) -> str:
    """The text with a number of the same length for each `:name`.

    Dialects read a colon in many ways (in DuckDB, `:a` after `select` is an alias of nothing); a
    number is a value everywhere, and every position stays what it was. The watermark alone becomes
    a name, `_watermark`, because what it is compared with is looked at.
    """
    for each in placeholders:
        same = f"_{WATERMARK}" if each.name == WATERMARK else "1" * (each.end - each.start)
        text = f"{text[: each.start]}{same}{text[each.end :]}"
    return text


def _one_statement(text: str, tokens: Sequence[Token]) -> list[Token]:
    ends = [i for i, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON]
    statement = list(tokens[: ends[0]] if ends else tokens)
    if not statement:
        line = 1 if not ends else position(text, tokens[0].start)[0]
        raise refuse(line, 1, "no statement in this file: expected one 'select …'")
    for token in tokens[len(statement) :]:
        if token.token_type is not TokenType.SEMICOLON:
            word = text[token.start : token.end + 1].lower()
            raise refuse(
                *position(text, token.start),
                f"a second statement starts here, with {word!r}: an extract is one read-only "
                f"statement; put this one into a file of its own",
            )
    return statement


def _parse(text: str, dialect: str) -> exp.Expr:
    # sqlglot warns about statements that it only knows by name; the guard refuses them anyway.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        trees = sqlglot.parse(text, read=dialect)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line, column = first.get("line") or 1, first.get("col") or 1
        start = max(1, column - len(first.get("highlight") or "") + 1)
        reason = _CLASS.sub(r"\1", first.get("description") or str(error)).rstrip(".")
        near = first.get("highlight") or ""
        raise refuse(line, start, f"not {dialect} SQL, near {near!r}: {_lower(reason)}") from None
    except RecursionError:
        raise refuse(1, 1, "the statement nests too deeply to be checked") from None
    except Exception as error:  # a fault of the parser's own costs this file, never the manifest
        raise refuse(1, 1, f"not {dialect} SQL: the parser gave up ({error!r})") from None
    tree = trees[0] if trees else None  # it makes no tree at all of the one word `else`
    if not isinstance(tree, exp.Expr):
        raise refuse(1, 1, "no statement in this file: expected one 'select …'")
    return tree


def _require_read_only(tree: exp.Expr, text: str, tokens: Sequence[Token], dialect: str) -> None:
    first = text[tokens[0].start : tokens[0].end + 1].split(maxsplit=1)[0].lower()
    if isinstance(tree, _SHOWS) and dialect in _STREAMS_SHOW:
        return
    if not isinstance(tree, _READS):
        # `with … delete` begins like a query: point at the word that makes it none.
        token = _word_of(tree, tokens) if first == "with" else tokens[0]
        raise _would_run(text, token, None if first == "with" else first)
    for node in tree.walk():
        if isinstance(node, _WRITES):
            token = _word_of(node, tokens)
            raise _would_run(text, token, "for update" if isinstance(node, exp.Lock) else None)
        name = _function_name(node)
        if name and _has_side_effect(name, dialect):
            raise refuse(
                *_place_of(name, text, tokens),
                f"{name!r} changes something or reaches outside the database: "
                f"an extract only reads",
            )


def _would_run(text: str, token: Token, word: str | None) -> Refused:
    word = word or text[token.start : token.end + 1].lower()
    return refuse(
        *position(text, token.start),
        f"this file would run {word!r}: an extract is one read-only statement, 'select …' or "
        f"'with … select'; do anything else where the table is maintained",
    )


def _word_of(node: exp.Expr, tokens: Sequence[Token]) -> Token:
    words = [token for token in tokens if token.token_type in _STATEMENT_WORDS]
    key = node.key.upper()
    named = [token for token in words if token.text.upper() == key]
    if isinstance(node, exp.Lock):
        return [token for token in words if token.token_type is TokenType.FOR][-1]
    return (named or words or list(tokens))[0]


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.lower()  # a quoted name calls the same function
    if isinstance(node, exp.Func):
        return node.sql_name().lower()
    if isinstance(node, exp.Column) and node.name.lower() == "nextval" and node.table:
        return "nextval"
    return ""


def _has_side_effect(name: str, dialect: str) -> bool:
    if dialect == "snowflake":
        return name == "nextval" or (name.startswith("system$") and name not in _SYSTEM_READS)
    return name in _SIDE_EFFECTS[dialect]


def _place_of(name: str, text: str, tokens: Sequence[Token]) -> tuple[int, int]:
    for token in tokens:
        if token.text.lower() == name:
            return position(text, token.start)
    return position(text, tokens[0].start)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
