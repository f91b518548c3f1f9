"""The database and the bare name of a table, as literals of SQL."""

from __future__ import annotations

from extract_project.problem import Refused
from extract_project.sql.tokens import MYSQL, name_of, tokenize
from extract_project.sql_quoting import backslashed

_OF_SESSION = "database()"


def place_of(table: str) -> tuple[str, str]:
    """The database and bare name of a table named as in SQL: `shop.orders`, or with backquotes.

    Words keep their case, which counts on most servers.
    """
    try:
        tokens = tokenize(table, MYSQL)
    except Refused:
        tokens = []
    parts = [each.text if each.kind == "word" else name_of(each) for each in tokens[::2]]
    *database, name = parts or [table]
    return (backslashed(database[-1]) if database else _OF_SESSION), backslashed(name)


def places_of(table: str) -> list[tuple[str, str]]:
    """All databases and names that a dotted name without quotes may mean, the likeliest first.

    Names may contain dots.
    """
    parts = table.split(".")
    splits = [at for at in (1, 0, *range(2, len(parts))) if at < len(parts)]
    return [
        (
            backslashed(".".join(parts[:at])) if at else _OF_SESSION,
            backslashed(".".join(parts[at:])),
        )
        for at in splits
    ]
