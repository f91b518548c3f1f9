"""The warehouse tables that a statement reads, for the lineage in the UI."""

from __future__ import annotations

from sqlglot import exp

from extract_project.manifest.guard import Statement


def upstream_tables(statement: Statement) -> tuple[str, ...]:
    """Dotted names, as written but in lower case unless quoted, sorted and without repetition.

    Names that the statement defines itself (`with x as …`), table functions and subqueries are
    not among them.
    """
    defined = {cte.alias.lower() for cte in statement.tree.find_all(exp.CTE)}
    names = set()
    for table in statement.tree.find_all(exp.Table):
        parts = [part for part in table.parts if isinstance(part, exp.Identifier)]
        if len(parts) != len(table.parts) or not parts:
            continue
        if len(parts) == 1 and parts[0].name.lower() in defined:
            continue
        names.add(".".join(part.name if part.quoted else part.name.lower() for part in parts))
    return tuple(sorted(names))
