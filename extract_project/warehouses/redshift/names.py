"""Names of tables, and texts as literals."""

from __future__ import annotations

from extract_project.errors import WarehouseError
from extract_project.problem import Refused
from extract_project.sql.tokens import REDSHIFT, name_of, tokenize
from extract_project.sql_quoting import literal


def place_of(table: str) -> tuple[str | None, str]:
    """The schema, if it is named, and the name of a table named as in SQL: `shop.orders`.

    Redshift folds names to lower case, quoted ones too, unless a parameter says otherwise.
    """
    try:
        tokens = tokenize(table, REDSHIFT)
    except Refused:
        tokens = []
    *above, name = [name_of(each).lower() for each in tokens[::2]] or [table]
    return (above[-1] if above else None), name


def is_clear(text: str) -> bool:
    """Whether it is the same literal everywhere: what a backslash in one means is a parameter of
    the server."""
    return "\\" not in text


def quoted(text: str) -> str:
    """A string literal; raises WarehouseError for a text with a backslash."""
    if not is_clear(text):
        raise WarehouseError(f"{text!r} has a backslash, which redshift may take for an escape")
    return literal(text)
