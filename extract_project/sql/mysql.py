"""The dialect of MySQL and MariaDB. Without their parser, tokens decide what only reads.

A read-only transaction refuses to write to tables. The rest is refused here: files of the server,
locks, waits, variables, and functions that act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from extract_project.problem import Refused, position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Name, Reading, Text
from extract_project.sql.tree import reading_by_tree
from extract_project.sql.words import words

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0b[01]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNCLEAR = {
    "$": "a name begins with '$' here: put it into backquotes",
    "\\": "a backslash stands outside of a string here: write NULL for '\\N'",
}
_ACTING: Mapping[str, str] = {
    **dict.fromkeys(words("sleep benchmark"), "waits"),
    **dict.fromkeys(words("get_lock release_lock release_all_locks"), "takes or gives back a lock"),
    "load_file": "reads a file of the server",
    **dict.fromkeys(words("nextval setval"), "changes a sequence"),
    **dict.fromkeys(
        words(
            """
            master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set
            wait_until_sql_thread_after_gtids
            """
        ),
        "waits for a replica",
    ),
    **dict.fromkeys(words("sys_exec sys_eval"), "starts a program"),
    **dict.fromkeys(words("sys_get sys_set"), "reads or sets the server's environment"),
    **dict.fromkeys(words("lambda_async lambda_sync"), "calls AWS Lambda"),
    **dict.fromkeys(
        words(
            """
            set_firewall_mode set_firewall_group_mode read_firewall_users read_firewall_whitelist
            read_firewall_groups read_firewall_group_allowlist
            """
        ),
        "changes the server's firewall",
    ),
}
_ACTING_KINDS: Mapping[str, str] = {
    "group_replication_": "acts on the replication group",
    "asynchronous_connection_failover_": "changes the replication",
    "audit_log_": "acts on the audit log",
    "keyring_": "reads or changes the server's keys",
    "mysql_firewall_": "acts on the server's firewall",
    "service_get_": "takes a lock",
    "service_release_": "gives back a lock",
    "version_tokens_": "changes the server's version tokens",
    "spider_": "runs SQL on another server",
    "aws_": "calls a service of AWS",
}
"""Functions of the server's plugins and components, by the beginning of their names."""
_SECRETS = words("user global_priv servers slave_master_info proxies_priv password_history db")
"""Tables of the database `mysql` with passwords, or what opens other servers."""


class MySQL:
    """The dialect of MySQL and MariaDB."""

    name = "mysql"
    lexicon = tokens.MYSQL
    type_choices = frozenset({"integers"})
    bills_bytes = False
    unloads = False

    def read(self, text: Text) -> Reading:
        _require_clear_tokens(text)
        fallback.require_query(text)
        _require_no_effects(text)
        return reading_by_tree(
            text, tuple(fallback.calls(text.tokens)), "mysql", "MySQL", keeps_case=True
        )

    def objection(self, function: Name) -> str | None:
        name = function[-1].lower()
        reasons = [reason for start, reason in _ACTING_KINDS.items() if name.startswith(start)]
        reason = _ACTING.get(name) or next(iter(reasons), None)
        return f"{reason}: an extract may only read" if reason else None


def _require_clear_tokens(text: Text) -> None:
    """Raise Refused for what the server may cut into other tokens: it reads `1.into` as two."""
    for token in text.tokens:
        if token.kind == "number" and not _NUMBER.fullmatch(token.text):
            raise refuse(
                *position(text.source, token.start),
                f"{token.text!r} is a number with something behind it: put a space between them, "
                f"or if it is a name, put it into backquotes",
            )
        if token.text in _UNCLEAR:
            raise refuse(*position(text.source, token.start), _UNCLEAR[token.text])


def _require_no_effects(text: Text) -> None:
    """Raise Refused for what reads, but does more than that."""
    after_next = (*text.tokens[1:], text.tokens[-1])
    for (token, after), third in zip(pairwise(text.tokens), after_next[1:], strict=True):
        if token.text == ":=":
            raise _refused(text, token, "a variable is set here")
        if (token.lower, after.lower) == ("lock", "in"):
            raise fallback.would_run(text.source, token, "lock in share mode")
        if token.lower == "procedure":
            raise fallback.would_run(text.source, token)
        if (token.lower, after.lower, third.lower) == ("next", "value", "for"):
            raise _refused(text, token, "a number is taken from a sequence here")
        if after.text == "." and third.kind in ("word", "name"):
            _require_no_secret(text, token, third)


def _require_no_secret(text: Text, schema: tokens.Token, table: tokens.Token) -> None:
    if schema.kind not in ("word", "name") or tokens.name_of(schema).lower() != "mysql":
        return
    name = tokens.name_of(table).lower()
    if name in _SECRETS:
        raise refuse(
            *position(text.source, schema.start),
            f"'mysql.{name}' holds passwords or rights: an extract must not read it",
        )


def _refused(text: Text, token: tokens.Token, what: str) -> Refused:
    return refuse(*position(text.source, token.start), f"{what}: an extract may only read")
