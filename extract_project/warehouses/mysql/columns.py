"""A column of a result, as the server describes it: `Protocol::ColumnDefinition41`."""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.warehouses.mysql.fields import Fields

UNSIGNED = 1 << 5
IN_BINARY = 1 << 7
ENUM = 1 << 8
SET = 1 << 11
BINARY = 63
"""The character set of bytes."""


@dataclass(frozen=True)
class Column:
    """A column. The module `types` says what each number of `type` means."""

    name: str
    type: int
    flags: int
    charset: int
    length: int
    """The most bytes of its text."""
    decimals: int
    """Digits after the point."""
    table: tuple[str, str, str] | None
    """The database and table that it is a column of, and its name there; None if computed."""

    @property
    def is_unsigned(self) -> bool:
        return bool(self.flags & UNSIGNED)

    @property
    def is_computed_bit(self) -> bool:
        """Of a BIT: whether it is no column of a table, given or temporary.

        MariaDB (10.11) sends a computed BIT as its digits in text, and some as the column has it,
        under the same description. Only this flag tells both from a column.
        """
        return bool(self.flags & IN_BINARY)

    @property
    def is_binary(self) -> bool:
        return self.charset == BINARY


def column(payload: bytes | bytearray) -> Column:
    """The column that a packet describes; raises Lost."""
    fields = Fields(payload)
    fields.value()  # the catalog, which is always `def`
    database = fields.text()
    fields.value()  # what the statement calls the table
    table = fields.text()
    name = fields.text()
    column_name = fields.text()
    fields.length()  # of the rest
    charset, length, kind = fields.number(2), fields.number(4), fields.number(1)
    flags, decimals = fields.number(2), fields.number(1)
    place = (database, table, column_name) if table and column_name else None
    return Column(name, kind, flags, charset, length, decimals, place)
