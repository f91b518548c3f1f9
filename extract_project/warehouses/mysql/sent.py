"""Rows of the binary protocol, read column by column with numpy.

A row is a zero byte, a bitmap of the columns that are NULL, and one value behind another, without
those that are NULL (MySQL's "Binary Protocol Resultset"). Values of different rows are apart, and
where one begins is known once those before it have been read: so a column of all rows is read at
once, from an array of the places where its values begin. No Python object is made of a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from extract_project.warehouses.mysql.wire import Block, Lost

_FIRST_BIT = 2
"""The bit of the first column in the bitmap."""
_NULL = 251
_LENGTHS = ((252, 2), (253, 3), (254, 8))
"""The first byte of a long length, and how many bytes behind it have the length."""

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Sent:
    """The columns of a block, from the first to the last."""

    def __init__(self, block: Block, columns: int) -> None:
        self.data = block.data
        self._bitmap = block.starts + 1
        self._ends = block.ends
        self._at = self._bitmap + (columns + _FIRST_BIT + 7) // 8
        self._bit = _FIRST_BIT - 1
        self.nulls: Flags = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return len(self._ends)

    def next_column(self) -> None:
        """Go to the next column, of which `nulls` says in which rows it is NULL."""
        self._bit += 1
        flags = self.data[self._bitmap + self._bit // 8]
        self.nulls = (flags & (1 << self._bit % 8)).astype(np.bool_)

    def numbers(self, kind: str) -> npt.NDArray[Any]:
        """The column's values, each in as many bytes as numpy's type `kind` has."""
        found = self.at(self._at, kind)
        found[self.nulls] = 0
        self._go_to(self._at + np.where(self.nulls, 0, found.itemsize))
        return found

    def pieces(self, *sizes_of_kind: int) -> tuple[Places, Places]:
        """Where the column's values begin and end; the length of each stands in front of it.

        `sizes_of_kind`: the lengths that the column's type has; without any, all lengths are
        allowed.
        """
        begins = self._at + ~self.nulls
        sizes = np.where(self.nulls, 0, self.data[self._at]).astype(np.int64)
        if (sizes >= _NULL).any():
            for mark, width in _LENGTHS:
                rows = np.flatnonzero(sizes == mark)
                long = self.at(begins[rows], "<u8") & ((1 << 8 * width) - 1)
                sizes[rows] = np.minimum(long, len(self.data))
                begins[rows] += width
        if sizes_of_kind and not np.isin(sizes, sizes_of_kind).all():
            raise Lost("a row has a value of a length that its type does not have")
        self._go_to(begins + sizes)
        return begins, self._at

    def at(self, places: Places, kind: str) -> npt.NDArray[Any]:
        """Read a number at each of these places in the data, aligned or not."""
        # An array whose elements begin at each byte, and overlap.
        width = np.dtype(kind).itemsize
        return np.ndarray((len(self.data) - width + 1,), kind, self.data, 0, (1,))[places]

    def array(self, values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
        """Numbers as an array of a type whose values are such numbers."""
        bitmap = None
        if self.nulls.any():
            bitmap = pa.py_buffer(np.packbits(~self.nulls, bitorder="little"))
        return pa.Array.from_buffers(kind, len(values), [bitmap, pa.py_buffer(values)])

    def bytes(self) -> pa.BinaryArray:
        """The column's values as bytes."""
        begins, ends = self.pieces()
        # Arrow's values follow each other without gaps. So each gap between two values counts as
        # a value too, and every second one is taken.
        offsets = np.empty(2 * len(self), np.int32)
        offsets[0::2], offsets[1::2] = begins, ends
        every = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        whole = pa.Array.from_buffers(pa.binary(), max(0, len(offsets) - 1), every)
        return whole.take(pa.array(np.arange(0, len(offsets), 2), mask=self.nulls))

    def _go_to(self, places: Places) -> None:
        """Note where the next column begins; raises Lost if that is after the end of a row."""
        if (places > self._ends).any():
            raise Lost("a row has a value that ends after the row")
        self._at = places

    def require_end(self) -> None:
        """Raises Lost unless the last column ends where the rows do."""
        if (self._at != self._ends).any():
            raise Lost("a row is longer or shorter than its values")
