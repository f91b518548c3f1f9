"""The dialect of Amazon Redshift. Its parser is not available, so tokens decide what only reads.

Redshift also runs each statement in a read-only transaction, except where it writes a result's
files itself. sqlglot's tree adds the tables; if sqlglot does not understand the statement, there is
a warning, and Redshift decides whether it is valid.
"""

from __future__ import annotations

import re

from extract_project.problem import position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Name, Reading, Text
from extract_project.sql.tree import reading_by_tree
from extract_project.sql.words import words

_UNCLEAR_QUOTE = re.compile(r"(?<!\\)(?:\\\\)*\\'")
"""A quote behind a backslash: whether it ends the string depends on a parameter of the server."""
_READS = words(
    """
    pg_backend_pid pg_last_copy_count pg_last_copy_id pg_last_query_id pg_last_unload_count
    pg_last_unload_id pg_table_is_visible pg_type_is_visible pg_function_is_visible
    pg_operator_is_visible pg_opclass_is_visible pg_conversion_is_visible pg_typeof
    """
)
_READING = "pg_get_"
_RESERVED = ("pg_", "lo_", "dblink")
_ACTS = words("set_config nextval setval")


class Redshift:
    """The dialect of Amazon Redshift."""

    name = "redshift"
    lexicon = tokens.REDSHIFT
    type_choices = frozenset({"integers", "numeric"})
    bills_bytes = False
    unloads = True

    def read(self, text: Text) -> Reading:
        _require_clear_strings(text)
        fallback.require_query(text)
        calls = tuple(fallback.calls(text.tokens))
        return reading_by_tree(text, calls, "redshift", "Redshift")

    def objection(self, function: Name) -> str | None:
        """Functions of the server's own that are not known to only read, as `pg_cancel_backend`."""
        if function[-2:-1] not in ((), ("pg_catalog",)):
            return None
        name = function[-1].lower()
        acts = name.startswith(_RESERVED) and not name.startswith(_READING)
        if name in _ACTS or (acts and name not in _READS):
            return "is not known to only read: an extract may only read"
        return None


def _require_clear_strings(text: Text) -> None:
    """Raise Refused for a string that ends elsewhere if a backslash is an ordinary character."""
    for token in text.tokens:
        if token.kind == "string" and _UNCLEAR_QUOTE.search(token.text):
            raise refuse(
                *position(text.source, token.start),
                "a backslash stands before a quote in this string: write '' for a quote in it, "
                "and \\\\ for a backslash",
            )
