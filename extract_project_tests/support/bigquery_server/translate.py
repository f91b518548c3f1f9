"""BigQuery's SQL as DuckDB's, with BigQuery's rule for comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

_SERIES = re.compile(r"UNNEST\(GENERATE_SERIES\((\d+), (\d+)\)\)")
_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ)
_KINDS = {
    "DATE": "DATE",
    "TIMESTAMP": "DATETIME",
    "DATETIME": "DATETIME",
    "TIMESTAMPTZ": "TIMESTAMP",
    "TEXT": "STRING",
    "VARCHAR": "STRING",
    "BOOLEAN": "BOOL",
    "TIME": "TIME",
    "BINARY": "BYTES",
    **dict.fromkeys(("INT", "BIGINT", "DOUBLE", "DECIMAL", "BIGDECIMAL"), "a number"),
}
Parameters = tuple[tuple[str, str], ...]
"""Names and types."""
_COERCED = {frozenset(("DATE", "DATETIME"))}


class Refused(Exception):
    """Not a query that BigQuery would accept; `word` is at fault."""

    def __init__(self, message: str, word: str = "") -> None:
        super().__init__(message)
        self.word = word


@dataclass(frozen=True)
class Translated:
    """A query for DuckDB."""

    text: str
    kind: str
    """BigQuery's `statementType`."""
    tables: Sequence[str]
    """As in `shop.orders`."""


def translated(sql: str, parameters: Sequence[Mapping[str, Any]]) -> Translated:
    """The query in DuckDB's SQL, each parameter cast to its type; raises Refused."""
    typed = tuple((str(each["name"]), str(each["parameterType"]["type"])) for each in parameters)
    return _translated(sql, typed)


@lru_cache
def _translated(sql: str, parameters: Parameters) -> Translated:
    """The same by names and types; a query is asked about several times."""
    types = {name.lower(): kind for name, kind in parameters}
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except SqlglotError as error:
        first = (getattr(error, "errors", None) or [{}])[0]
        word = str(first.get("highlight") or "")
        raise Refused(f"Syntax error: Unexpected {word or 'end of script'}", word) from error
    kind = "SELECT" if isinstance(tree, exp.Query) else tree.key.upper()
    tables = sorted({f"{each.db}.{each.name}" for each in tree.find_all(exp.Table) if each.db})

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter):
            name = node.name.lower()
            if name not in types:
                raise Refused(f"Query parameter '{node.name}' not found", node.name)
            named = exp.Parameter(this=exp.to_identifier(_given(node.name, parameters)))
            return exp.cast(named, types[name], dialect="bigquery")
        if isinstance(node, exp.Table) and node.args.get("catalog"):
            node.set("catalog", None)
        if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DATE:
            _require_date(node.this)
        return node

    tree = tree.transform(replaced)
    _require_comparable(tree)
    text = tree.transform(_with_digits).sql(dialect="duckdb")
    return Translated(_SERIES.sub(r"generate_series(\1, \2)", text), kind, tables)


def _given(name: str, parameters: Parameters) -> str:
    """The parameter's name in DuckDB, by that of its value: BigQuery does not mind its case."""
    given = next(each for each, _ in parameters if each.lower() == name.lower())
    return f"value_of_{given}"


def _require_date(node: exp.Expr) -> None:
    if not isinstance(node, exp.Literal) or not node.is_string:
        return
    try:
        date.fromisoformat(node.name)
    except ValueError:
        message = f'Could not cast literal "{node.name}" to type DATE'
        raise Refused(message, node.name) from None


def _with_digits(node: exp.Expr) -> exp.Expr:
    """NUMERIC and BIGNUMERIC as DuckDB can have them."""
    kinds = exp.DataType.Type
    if (
        isinstance(node, exp.Cast)
        and node.to.this == kinds.TEXT
        and isinstance(node.this, exp.Cast)
        and node.this.to.this == kinds.DECIMAL
    ):  # without zeros at the end
        text = exp.cast(node.this.copy(), "text")
        return exp.func(
            "regexp_replace", text, exp.Literal.string(r"\.?0+$"), exp.Literal.string("")
        )
    if isinstance(node, exp.DataType) and node.this in (kinds.DECIMAL, kinds.BIGDECIMAL):
        digits = 9 if node.this == kinds.DECIMAL else 0
        return exp.DataType.build(f"decimal(38, {digits})", dialect="duckdb")
    return node


def _require_comparable(tree: exp.Expr) -> None:
    """Raise Refused where two types are compared that BigQuery does not compare."""
    try:
        typed = annotate_types(
            qualify(tree.copy(), dialect="bigquery", validate_qualify_columns=False),
            dialect="bigquery",
        )
    except SqlglotError:
        return  # DuckDB finds out what is wrong
    for node in typed.find_all(*_COMPARISONS):
        both = (node.left, node.right)
        sides = [_KINDS.get(each.type.this.name) if each.type else None for each in both]
        if None in sides or sides[0] == sides[1] or frozenset(sides) in _COERCED:
            continue
        if any(isinstance(each, exp.Literal) for each in both):
            continue  # a literal takes the other's type
        raise Refused(
            f"No matching signature for operator {node.key.upper()} for argument types: "
            f"{sides[0]}, {sides[1]}"
        )
