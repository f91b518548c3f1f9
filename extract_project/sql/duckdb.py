"""The dialect of DuckDB, parsed by its own parser, which returns a statement's tree as JSON."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from extract_project.problem import Problem, Refused, position, refuse
from extract_project.sql import fallback, tokens
from extract_project.sql.dialect import Call, Comparison, Name, Reading, Text
from extract_project.sql.duckdb_functions import ENGINE, READS
from extract_project.sql.query import Rendered
from extract_project.sql_quoting import literal

if TYPE_CHECKING:
    import duckdb

_NOWHERE = 2**64 - 1
_BEGIN = ("from", "table", "show", "describe", "desc", "summarize", "pivot", "unpivot")
_UNCHECKED = "this nests too deeply to be parsed"
_FILE = re.compile(
    r"://|[/\\*?]|\.(csv|tsv|parquet|jsonl?|ndjson|xlsx|db|ddb|duckdb|arrow|avro|shp|gpkg|fgb)"
    r"(\.(gz|zst))?$",
    re.IGNORECASE,
)
_OF_EXTENSIONS = re.compile(
    r"(read|http|https|st_read|st_drivers|load_aws|(postgres|mysql|sqlite|mssql|bigquery|snowflake"
    r"|odbc|iceberg|delta|ducklake|lance|avro|excel|gsheet|arrow|adbc|uc|unity)_).*"
    r"|getenv|shell\w*|start_ui\w*|dbgen|dsdgen|(pandas|arrow|parquet)_scan|copy_\w+|write_\w+"
)
"""Functions of extensions that reach outside the database."""
_OUTSIDE = "writes, waits or reaches outside the database: an extract may only read"


class DuckDB:
    """The dialect of DuckDB."""

    name = "duckdb"
    lexicon = tokens.DUCKDB
    type_choices = frozenset({"integers", "timestamps"})
    bills_bytes = False
    unloads = False

    def read(self, text: Text) -> Reading:
        ordinals = text.query.ordinals
        rendered = text.render(lambda name: f"${ordinals[name]}")
        found = _parser().tree(rendered.text)
        if found is None:
            return _by_tokens(text)
        if found["error"]:
            raise _refused(text, rendered, found)
        if len(found["statements"]) != 1:
            count = len(found["statements"])
            raise refuse(1, 1, f"DuckDB reads {count} statements here: expected one")
        if text.tokens[0].lower in ("pragma", "call"):
            raise fallback.would_run(text.source, text.tokens[0])
        return _Reader(text, rendered).read(found["statements"][0]["node"])

    def objection(self, function: Name) -> str | None:
        name = function[-1].lower()
        if name in READS:
            return None
        return _OUTSIDE if name in ENGINE or _OF_EXTENSIONS.fullmatch(name) else None


class _Parser:
    """The parser of a DuckDB database in memory."""

    def __init__(self) -> None:
        import duckdb

        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection = duckdb.connect(
            config={
                "threads": 1,
                "enable_external_access": False,
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        # The function's argument is a constant, and the optimizer would evaluate it twice.
        self._connection.execute("pragma disable_optimizer")

    def tree(self, text: str) -> dict[str, Any] | None:
        """The statements of a text, or the parser's error; None if it is nested too deeply."""
        # As a literal: for a parameter, DuckDB imports pandas, in every process that reads SQL.
        with self._lock:
            row = self._connection.execute(f"select json_serialize_sql({literal(text)})").fetchone()
        assert row is not None
        try:
            found: dict[str, Any] = json.loads(row[0])
        except RecursionError:
            return None
        return found


@cache
def _parser() -> _Parser:
    return _Parser()


def _by_tokens(text: Text) -> Reading:
    fallback.require_query(text, _BEGIN)
    tables = fallback.tables(text.tokens)
    for string in fallback.strings_for_tables(text.tokens):
        _require_table(string.text[1:-1], text, string.start)
    for before, token in pairwise(text.tokens):
        if before.lower in _BEGIN and token.kind in ("name", "string"):
            _require_table(token.text[1:-1], text, token.start)
        if token.lower == "query_table":
            raise refuse(
                *position(text.source, token.start),
                f"{_UNCHECKED}, and its words do not show which tables 'query_table' reads: write "
                f"the tables' names",
            )
    for name in tables:
        _require_table(name[-1], text, None)
    line, column = position(text.source, text.tokens[0].start)
    message = f"{_UNCHECKED}, and was checked only by its words"
    return Reading(
        tuple(fallback.calls(text.tokens)),
        tables,
        tuple(fallback.strictly_after(text)),
        (Problem(line=line, column=column, message=message),),
    )


def _require_table(name: str, text: Text, offset: int | None) -> None:
    """Raise Refused for a name that DuckDB would look up as a file."""
    if _FILE.search(name):
        place = text.tokens[0].start if offset is None else offset
        raise refuse(
            *position(text.source, place),
            f"{name!r} is a file: an extract may read only the database's tables",
        )


def _refused(text: Text, rendered: Rendered, found: dict[str, Any]) -> Refused:
    """The parser's error, at the word that causes it."""
    message = found["error_message"]
    acting = fallback.acting_word(text.tokens)
    if acting:
        return fallback.would_run(text.source, acting)
    if found["error_type"] == "parser":
        place = found.get("position")
        offset = rendered.source_offset(int(place)) if place else text.tokens[-1].start
        return fallback.not_sql(text, "duckdb", message, offset)
    pivots = [token for token in text.tokens if token.lower in ("pivot", "pivot_wider")]
    if pivots:
        return refuse(
            *position(text.source, pivots[0].start),
            "DuckDB creates a type to find this pivot's columns, so it does not only read: list "
            "the values, as in 'on id in (1, 2)'",
        )
    return fallback.would_run(text.source, text.tokens[0])


@dataclass(frozen=True)
class _Scope:
    """The context of a part of the tree."""

    hidden: frozenset[str] = frozenset()
    """Names of common table expressions, which hide tables here."""
    only_columns: bool = False
    """Whether nothing is read: `describe` only returns the columns of a query."""


class _Reader:
    """One walk through the parser's tree."""

    def __init__(self, text: Text, rendered: Rendered) -> None:
        self._text = text
        self._rendered = rendered
        self._bytes = None if rendered.text.isascii() else rendered.text.encode()
        self._calls: list[Call] = []
        self._tables: set[Name] = set()
        self._strict: list[Comparison] = []

    def read(self, root: dict[str, Any]) -> Reading:
        parameters: Counter[str] = Counter()
        for node, scope in _nodes(root):
            kind = str(node.get("type"))
            if kind == "BASE_TABLE":
                self._add_table(node, scope)
            elif kind == "FUNCTION" and not node.get("is_operator"):
                self._add_call(node)
            elif kind == "VALUE_PARAMETER":
                parameters[node["identifier"]] += 1
            elif kind in _STRICT:
                self._compare(node)
        self._require(parameters)
        return Reading(tuple(self._calls), frozenset(self._tables), tuple(self._strict))

    def _require(self, parameters: Counter[str]) -> None:
        """Raise Refused unless the parser reads every `:name` as a value."""
        ordinals = self._text.query.ordinals
        wanted = Counter(str(ordinals[each.name]) for each in self._text.placeholders)
        for each in self._text.placeholders:
            ordinal = str(ordinals[each.name])
            if parameters[ordinal] < wanted[ordinal]:
                raise refuse(
                    *position(self._text.source, each.start),
                    f"DuckDB does not read ':{each.name}' as a value here: put spaces or "
                    f"parentheses around it",
                )

    def _add_table(self, node: dict[str, Any], scope: _Scope) -> None:
        parts = [node.get(part) for part in ("catalog_name", "schema_name", "table_name")]
        name = tuple(part.lower() for part in parts if part)
        if len(name) == 1 and name[0] in scope.hidden:
            return
        if len(name) == 1:
            _require_table(name[0], self._text, self._offset(node))
        if name[-1] == "duckdb_logs":
            self._calls.append(Call(name, self._offset(node)))  # a view that calls the function
        elif not scope.only_columns:
            self._tables.add(name)

    def _add_call(self, node: dict[str, Any]) -> None:
        parts = [node.get(part) for part in ("catalog", "schema", "function_name")]
        self._calls.append(Call(tuple(part for part in parts if part), self._offset(node)))
        if node["function_name"].lower() == "query_table":
            for value in _constants(node["children"]):
                _require_table(value, self._text, self._offset(node))
                self._tables.add(tuple(value.lower().split(".")))

    def _compare(self, node: dict[str, Any]) -> None:
        operator, lesser = _STRICT[node["type"]]
        below = {
            each["identifier"]
            for each, _ in _nodes(node[lesser])
            if each.get("type") == "VALUE_PARAMETER"
        }
        ordinals = self._text.query.ordinals
        names = [name for name, ordinal in ordinals.items() if str(ordinal) in below]
        found = [self._text.beside(name, operator) for name in names]
        self._strict += [Comparison(each, operator) for each in found]

    def _offset(self, node: dict[str, Any]) -> int | None:
        """The character offset for the parser's offset, which counts bytes."""
        offset = node.get("query_location", _NOWHERE)
        if offset == _NOWHERE:
            return None
        if self._bytes:
            offset = len(self._bytes[:offset].decode(errors="ignore"))
        return self._rendered.source_offset(offset)


_STRICT = {"COMPARE_GREATERTHAN": (">", "right"), "COMPARE_LESSTHAN": ("<", "left")}


_LEAVES = ("CONSTANT", "COLUMN_REF")


def _nodes(root: Any) -> Iterator[tuple[dict[str, Any], _Scope]]:
    """Every node of a tree, with its context."""
    waiting: list[tuple[Any, _Scope]] = [(root, _Scope())]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, list):
            waiting += [(each, scope) for each in node]
        elif isinstance(node, dict):
            if node.get("type") == "SHOW_REF" and node.get("show_type") != "SUMMARY":
                scope = replace(scope, only_columns=True)
            elif node.get("type") == "RECURSIVE_CTE_NODE":
                scope = replace(scope, hidden=scope.hidden | {node["cte_name"].lower()})
            yield node, scope
            if node.get("class") not in _LEAVES:
                waiting += _parts(node, scope)


def _parts(node: dict[str, Any], scope: _Scope) -> Iterator[tuple[Any, _Scope]]:
    """The children of a node, each with the names that hide tables in it."""
    for each in (node.get("cte_map") or {}).get("map", ()):
        yield each["value"], scope
        scope = replace(scope, hidden=scope.hidden | {each["key"].lower()})
    for key, value in node.items():
        if key != "cte_map" and isinstance(value, (dict, list)):
            yield value, scope


def _constants(children: list[Any]) -> list[str]:
    found = []
    for child in children:
        if child.get("type") == "VALUE_CONSTANT" and isinstance(child["value"].get("value"), str):
            found.append(child["value"]["value"])
        found += _constants(child.get("children", []))
    return found
