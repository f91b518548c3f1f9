"""What a statement reads, by sqlglot's tree, for engines whose own parser is not available.

The tree adds to what the tokens say. If sqlglot does not understand the statement, there is a
warning, and the engine decides whether it is valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.problem import Problem, position
from extract_project.sql import fallback
from extract_project.sql.dialect import Call, Comparison, Name, Reading, Text
from extract_project.sql.query import Rendered

if TYPE_CHECKING:
    from sqlglot import exp

_CLASS = re.compile(r"<class '[\w.]*\.(\w+)'>")


def reading_by_tree(
    text: Text, calls: tuple[Call, ...], parser: str, engine: str, *, keeps_case: bool = False
) -> Reading:
    """The statement's facts from the tree of a parser of sqlglot's, such as `snowflake`.

    Its tokens have already been checked. `keeps_case`: the engine tells tables apart by case, also
    those without quotes. Raises Refused for a tree that writes.
    """
    from sqlglot import exp

    rendered = text.render("_{}".format)  # as a column, to find it again in the tree
    tree = _parse(text, rendered, parser, engine)
    if isinstance(tree, Problem) and text.placeholders:  # a number is allowed in more places
        tree = _parse(text, text.render(lambda _: "1"), parser, engine)
    beside = tuple(fallback.strictly_after(text))
    if isinstance(tree, Problem):
        return Reading(calls, fallback.tables(text.tokens), beside, (tree,))
    acting = tree.find(exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command, exp.Copy, exp.Set)
    if acting:
        raise fallback.would_run(text.source, text.tokens[0], acting.key)
    tables = {*_tables(tree, keeps_case), *fallback.tables_in_strings(text.tokens)}
    return Reading(calls, frozenset(tables), (*_strictly_after(text, rendered, tree), *beside))


def _parse(text: Text, rendered: Rendered, parser: str, engine: str) -> exp.Expr | Problem:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    line, column = position(text.source, text.tokens[0].start)
    try:
        trees = [tree for tree in sqlglot.parse(rendered.text, read=parser) if tree]
    except SqlglotError as error:
        first = (getattr(error, "errors", None) or [{}])[0]
        reason = _CLASS.sub(r"\1", first.get("description") or str(error).splitlines()[0])
        reason = f"{reason[:1].lower()}{reason[1:].rstrip('.')}"
        if first.get("highlight"):
            begin = max(1, first["col"] - len(first["highlight"]) + 1)
            offset = rendered.source_offset(rendered.offset_of(first["line"], begin))
            line, column = position(text.source, offset)
            reason = f"near {fallback.token_at(text.tokens, offset).text!r}: {reason}"
        return _unsure(engine, line, column, reason)
    except RecursionError:
        return _unsure(engine, line, column, "it nests too deeply")
    except Exception as error:  # a bug of the parser affects only this file, not the manifest
        return _unsure(engine, line, column, repr(error))
    if len(trees) != 1 or not isinstance(trees[0], exp.Expr):
        return _unsure(engine, line, column, "it is not read as one statement")
    return trees[0]


def _unsure(engine: str, line: int, column: int, reason: str) -> Problem:
    return Problem(
        line=line,
        column=column,
        message=f"the checker does not understand this {engine} SQL ({reason}): by its words it "
        f"only reads, and {engine} decides whether it is valid",
    )


def _tables(tree: exp.Expr, keeps_case: bool) -> Iterator[Name]:
    """The tables after `from` and `join`, without common table expressions."""
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        if not isinstance(table.parent, (exp.From, exp.Join, exp.Subquery, exp.Lateral, exp.Final)):
            continue
        parts = [table.args.get(part) for part in ("catalog", "db", "this")]
        if not isinstance(parts[-1], exp.Identifier):
            continue
        named = [part for part in parts if isinstance(part, exp.Identifier)]
        name = tuple(part.name if keeps_case else _folded(part) for part in named)
        if parts[0] and not parts[1]:  # Snowflake's `db..t` leaves the schema out
            name = (name[0], "public", name[-1])
        if len(name) > 1 or _folded(named[0]) not in _hidden(table):
            yield name


def _hidden(table: exp.Expr) -> set[str]:
    """The names of the common table expressions that are visible at a table's position."""
    from sqlglot import exp

    found: set[str] = set()
    inside: exp.Expr | None = None
    node: exp.Expr | None = table
    while node is not None:
        clause = node.args.get("with_") or node.args.get("with")
        if isinstance(clause, exp.With):
            for cte in clause.expressions:
                if cte is inside and not clause.recursive:
                    break
                found.add(_folded(cte.args["alias"].this))
        if isinstance(node, exp.CTE):
            inside = node
        node = node.parent
    return found


def _folded(identifier: exp.Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()


def _strictly_after(text: Text, rendered: Rendered, tree: exp.Expr) -> Iterator[Comparison]:
    from sqlglot import exp

    starts = {each.start: each for each in text.placeholders}
    for comparison in tree.find_all(exp.GT, exp.LT) if starts else ():
        greater = isinstance(comparison, exp.GT)
        lesser = comparison.expression if greater else comparison.this
        for column in lesser.find_all(exp.Column):
            placeholder = starts.get(rendered.source_offset(column.this.meta.get("start", 0)))
            if placeholder:
                yield Comparison(placeholder, ">" if greater else "<")
