"""The schema and the bare name of a table."""

from __future__ import annotations

from extract_project.problem import Refused
from extract_project.sql.tokens import REDSHIFT, name_of, tokenize


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
