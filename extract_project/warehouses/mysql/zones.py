"""Refuse `convert_tz` to or from a time zone that the server does not know.

The result would be NULL in every row, without a warning. A server knows the zones that somebody has
loaded into its tables; without them, offsets alone ("Time Zone Support" in MySQL's manual).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from extract_project.errors import Cause, WarehouseError
from extract_project.problem import position
from extract_project.sql.mysql import MySQL
from extract_project.sql.query import Query
from extract_project.sql.tokens import Token, tokenize
from extract_project.warehouses.mysql.connection import Connection

_FUNCTION = "convert_tz"
_LOADED_BY = "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql"
"""The command that loads zones; MySQL's programs are `mysql_tzinfo_to_sql` and `mysql`."""


def require_zones(connection: Connection, query: Query) -> None:
    """Raises WarehouseError for a zone that the statement names and the server does not know.

    Zones in columns and in values are not looked at.
    """
    if _FUNCTION not in query.text.lower():
        return
    known: dict[str, bool] = {}
    for zone in _named(tokenize(query.text[: query.end], MySQL.lexicon)):
        if zone.text not in known:
            ((is_null,),) = connection.query(
                f"select {_FUNCTION}('2000-01-01', '+00:00', {zone.text}) is null"
            )
            known[zone.text] = is_null != "1"
        if known[zone.text]:
            continue
        line, column = position(query.text, zone.start)
        raise WarehouseError(
            f"the server does not know the time zone {zone.text}, with which convert_tz gives NULL "
            f"in every row: correct it, or have the server load its zones, {_LOADED_BY}",
            cause=Cause.SETTINGS,
            line=line,
            column=column,
        )


def _named(tokens: Sequence[Token]) -> Iterator[Token]:
    """The second and third argument of each call, where they are strings."""
    for index, called in enumerate(tokens):
        if called.lower != _FUNCTION:
            continue
        depth = 0
        for before, token in pairwise(tokens[index + 1 :]):
            depth += (before.text == "(") - (before.text == ")")
            if not depth:
                break
            if depth == 1 and before.text == "," and token.kind == "string":
                yield token
