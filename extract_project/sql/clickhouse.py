"""The dialect of ClickHouse. Its parser is not available, so tokens decide what only reads.

What a statement could do beyond reading is in its functions, of which many read files or reach
other servers, and in its last clauses, which choose a format, a file or settings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from extract_project.problem import position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Name, Reading, Text
from extract_project.sql.tokens import Token
from extract_project.sql.tree import reading_by_tree

_OUTSIDE = re.compile(
    r"(file|url|s3|s3gpu|gcs|oss|cosn|hdfs|azureblobstorage|(iceberg|deltalake|hudi|paimon)(s3|azure"
    r"|hdfs|local)?|remote|remotesecure|arrowflight|ytsaurus|hive)(cluster)?"
    r"|mysql|postgresql|mongodb|redis|sqlite|jdbc|odbc|executable|executablepool|input|python"
    r"|prometheusquery\w*|ai[a-z]+"
)
"""Table functions and functions that read files, run programs or reach other servers:
https://clickhouse.com/docs/sql-reference/table-functions."""
_WAITS = ("sleep", "sleepeachrow")


class ClickHouse:
    """The dialect of ClickHouse."""

    name = "clickhouse"
    lexicon = tokens.CLICKHOUSE
    type_choices = frozenset({"integers", "timestamps"})
    bills_bytes = False
    unloads = False

    def read(self, text: Text) -> Reading:
        fallback.require_query(text)
        _require_no_last_clause(text)
        _require_no_totals(text)
        calls = tuple(fallback.calls(text.tokens))
        return reading_by_tree(text, calls, "clickhouse", "ClickHouse", keeps_case=True)

    def objection(self, function: Name) -> str | None:
        name = function[-1].lower()
        if name in _WAITS:
            return "waits: an extract may only read"
        if _OUTSIDE.fullmatch(name):
            return "reaches outside the database: an extract may only read its tables"
        return None


def _require_no_last_clause(text: Text) -> None:
    """Raise Refused for `into outfile`, `format` and `settings`, which would decide what is sent.

    The server runs the statement with `readonly = 1`, where no setting can be changed.
    """
    for i, token in enumerate(text.tokens):
        following = text.tokens[i + 1 : i + 3]
        if token.lower == "format" and _ends_after_name(following):
            raise refuse(
                *position(text.source, token.start),
                "a 'format' clause is not possible here: remove it, and write 'format: …' in the "
                "header",
            )
        if token.lower == "settings" and _is_assignment(following):
            raise refuse(
                *position(text.source, token.start),
                "a 'settings' clause could change what decides the values, and is not possible "
                "here: remove it; the page about ClickHouse says what each run "
                "sets",
            )


def _require_no_totals(text: Text) -> None:
    """Raise Refused for `with totals`: the totals are no rows, and would be left out of the file.

    `with totals as (…)` is a query of that name.
    """
    for i, token in enumerate(text.tokens):
        following = [each.lower for each in text.tokens[i + 1 : i + 3]]
        if token.lower == "with" and following[:1] == ["totals"] and following[1:] != ["as"]:
            raise refuse(
                *position(text.source, token.start),
                "'with totals' gives a row beside the result, which no file has: write 'with "
                "rollup', or 'union all' with a query of the totals",
            )


def _ends_after_name(following: Sequence[Token]) -> bool:
    if not following or following[0].kind not in ("word", "name"):
        return False
    return len(following) == 1 or following[1].lower in ("settings", "into", "format")


def _is_assignment(following: Sequence[Token]) -> bool:
    kinds = [each.kind for each in following]
    return len(following) > 1 and kinds[0] in ("word", "name") and following[1].text in ("=", "==")
