"""Names of tables as SQL has them, and texts as literals."""

from __future__ import annotations

from extract_project.problem import Refused
from extract_project.sql.tokens import MYSQL, name_of, tokenize
from extract_project.sql_quoting import backslashed


def place_of(table: str) -> tuple[str, str]:
    """SQL for the database of a name, and for the table: `shop.orders`, ``orders``.

    Without a database it is the session's. Words keep their case, which counts on most servers.
    """
    try:
        tokens = tokenize(table, MYSQL)
    except Refused:
        tokens = []
    parts = [each.text if each.kind == "word" else name_of(each) for each in tokens[::2]]
    *database, name = parts or [table]
    return (backslashed(database[-1]) if database else "database()"), backslashed(name)
