"""The dialect of BigQuery. Its parser is not available, so tokens decide what only reads.

BigQuery decides it too: a run has each statement checked before it runs, and refuses what BigQuery
does not call a SELECT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Name, Reading, Text
from extract_project.sql.tokens import Token
from extract_project.sql.tree import reading_by_tree

_ACTING: Mapping[str, str] = {
    "external_query": "runs a text on another server, which cannot be checked",
}
_WRITING_PIPES = ("insert", "create", "export", "call", "fork", "tee")


class BigQuery:
    """The dialect of BigQuery, GoogleSQL."""

    name = "bigquery"
    lexicon = tokens.BIGQUERY
    type_choices = frozenset({"integers", "numeric"})
    bills_bytes = True
    unloads = False

    def read(self, text: Text) -> Reading:
        _require_reading_pipes(text)
        fallback.require_query(text, also=("from",))
        calls = tuple(fallback.calls(text.tokens))
        return reading_by_tree(text, calls, "bigquery", "BigQuery", keeps_case=True)

    def objection(self, function: Name) -> str | None:
        reason = _ACTING.get(function[-1].lower())
        return f"{reason}: an extract may only read" if reason else None


def is_ordered(statement: Sequence[Token]) -> bool:
    """Whether the rows have an order: whether the outermost query has `order by`.

    A query that begins with a parenthesis counts as ordered if any part of it is.
    """
    depth = 0
    inside = statement[0].text == "("
    for token, after in pairwise(statement):
        depth += (token.text == "(") - (token.text == ")")
        if token.lower == "order" and after.lower == "by" and (inside or not depth):
            return True
    return False


def _require_reading_pipes(text: Text) -> None:
    """Raise Refused for `|> insert …` and its kind, which write at the end of a query."""
    for bar, arrow, word in zip(text.tokens, text.tokens[1:], text.tokens[2:], strict=False):
        if (bar.text, arrow.text) == ("|", ">") and word.lower in _WRITING_PIPES:
            raise fallback.would_run(text.source, word)
