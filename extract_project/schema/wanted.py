"""The wanted file type of a column whose warehouse type is wider than most readers support."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from extract_project.schema.choices import DEFAULTS, TypeChoices

UNBOUNDED = pa.decimal128(38, 9)
"""A numeric without a precision, unless something else is wanted."""


@dataclass(frozen=True)
class Wanted:
    """What the author wants for one column: the type declared in `columns`, otherwise the choices.

    If the declared type does not settle the question (text for an integer), the choices do.
    """

    choices: TypeChoices = DEFAULTS
    declared: pa.DataType | None = None

    @property
    def has_int64(self) -> bool:
        """Whether integers of more than 18 digits become int64."""
        kind = self.declared
        if kind is not None and (pa.types.is_decimal(kind) or pa.types.is_uint64(kind)):
            return False
        if kind is not None and pa.types.is_integer(kind):
            return True
        return self.choices.integers == "int64"

    @property
    def is_uint64(self) -> bool:
        """Whether the type of files that few readers know is declared: for all, it is a choice of
        the others."""
        return self.declared is not None and bool(pa.types.is_uint64(self.declared))

    @property
    def unit(self) -> str:
        """The unit of times and timestamps that the warehouse has in nanoseconds."""
        kind = self.declared
        if kind is not None and (pa.types.is_timestamp(kind) or pa.types.is_time(kind)):
            return str(kind.unit)
        return self.choices.timestamps

    @property
    def unbounded(self) -> pa.DataType:
        """The type of a numeric without a precision."""
        kind, types = self.declared, pa.types
        if kind is not None and any(
            bool(is_one(kind)) for is_one in (types.is_decimal, types.is_integer, types.is_string)
        ):
            return kind
        return pa.string() if self.choices.numeric == "text" else UNBOUNDED

    @property
    def element(self) -> Wanted:
        """What the author wants for the elements of a list."""
        kind = self.declared
        return self._inside(kind.value_type if kind and pa.types.is_list(kind) else None)

    @property
    def key(self) -> Wanted:
        """What the author wants for the keys of a map."""
        kind = self.declared
        return self._inside(kind.key_type if kind and pa.types.is_map(kind) else None)

    @property
    def item(self) -> Wanted:
        """What the author wants for the items of a map."""
        kind = self.declared
        return self._inside(kind.item_type if kind and pa.types.is_map(kind) else None)

    def field(self, name: str) -> Wanted:
        """What the author wants for a field of a struct."""
        kind = self.declared
        if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return self._inside(None)
        return self._inside(kind.field(name).type)

    def _inside(self, declared: pa.DataType | None) -> Wanted:
        return replace(self, declared=declared)


WANTED = Wanted()
