"""The dialect of Databricks SQL. Its parser is not available, so tokens decide what only reads.

What a statement could do beyond reading is in its functions: some call Java, a web service, another
database or a store of secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from extract_project.problem import position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Name, Reading, Text
from extract_project.sql.tree import reading_by_tree

_ACTING: Mapping[str, str] = {
    **dict.fromkeys(("java_method", "reflect", "try_reflect"), "calls any method of Java"),
    "http_request": "sends a request, which may do anything",
    "remote_query": "runs a text on another server, which cannot be checked",
    **dict.fromkeys(("secret", "try_secret"), "reads a secret, which must not be in a file"),
}


class Databricks:
    """The dialect of Databricks SQL."""

    name = "databricks"
    lexicon = tokens.DATABRICKS
    type_choices = frozenset({"integers"})
    bills_bytes = False
    unloads = False

    def read(self, text: Text) -> Reading:
        _require_function_names(text)
        _require_no_script(text)
        fallback.require_query(text)
        return reading_by_tree(text, tuple(fallback.calls(text.tokens)), "databricks", "Databricks")

    def objection(self, function: Name) -> str | None:
        reason = _ACTING.get(function[-1].lower())
        return f"{reason}: an extract may only read" if reason else None


def _require_function_names(text: Text) -> None:
    """Raise Refused for `identifier('f')(…)`, which calls a function named by a string."""
    for i, (token, after) in enumerate(pairwise(text.tokens)):
        if token.lower != "identifier" or after.text != "(":
            continue
        end = fallback.closing(text.tokens, i + 1)
        if [each.text for each in text.tokens[end + 1 : end + 2]] == ["("]:
            raise refuse(
                *position(text.source, token.start),
                "a function is called by a name in a string here: write its name directly, so "
                "that it can be checked",
            )


def _require_no_script(text: Text) -> None:
    """Raise Refused for `transform(…) using 'script'`, which starts a program."""
    for token, after in pairwise(text.tokens):
        if token.lower == "using" and after.kind == "string":
            raise fallback.would_run(text.source, token, "using a script")
