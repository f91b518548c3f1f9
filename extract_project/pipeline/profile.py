"""The profile of a result: NULLs, lowest and highest value of each column, and the first ten
rows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.history.receipt import ColumnProfile
from extract_project.metrics import Metrics
from extract_project.schema.annotations import description_of
from extract_project.schema.display import display
from extract_project.schema.spelling import spelled

_KEPT = 100
_LONG = 4096
PREVIEW_ROWS = 10


class Profile:
    """Collects the profile of a stream of rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._nulls = [0] * len(schema)
        self._extremes = [pa.array([], field.type) for field in schema]
        """For each column its lowest and highest value so far, or nothing yet."""
        self.rows = 0
        self.preview: list[dict[str, str]] = []

    def show(self, rows: pa.Table) -> None:
        """Show the first of these rows, as long as the preview is not full."""
        if len(self.preview) < PREVIEW_ROWS:
            first = rows.slice(0, PREVIEW_ROWS - len(self.preview))
            columns = [display(column) for column in first.columns]
            names = self.schema.names
            self.preview += [
                dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)
            ]

    def tell(self, index: int, nulls: int, extremes: pa.Array | None) -> None:
        """Take what is known of a column whose rows are not observed."""
        self._nulls[index] = nulls
        if extremes is not None:
            self._extremes[index] = extremes

    def observe(self, rows: pa.Table) -> None:
        """Include the next rows of the result."""
        self.show(rows)
        self.rows += rows.num_rows
        for index, column in enumerate(rows.columns):
            self._nulls[index] += column.null_count
            if _ordered(column.type):
                self._extremes[index] = _wider(self._extremes[index], column)

    def metrics(self) -> Metrics:
        """The number of rows, and of NULLs in each column."""
        return Metrics(rows=self.rows, nulls=dict(zip(self.schema.names, self._nulls, strict=True)))

    def columns(self) -> list[ColumnProfile]:
        """One profile per column, in the order of the schema."""
        return [
            ColumnProfile(
                name=field.name,
                type=spelled(field.type),
                nulls=self._nulls[index],
                lowest=extremes[0] if extremes else None,
                highest=extremes[1] if extremes else None,
                description=description_of(field),
            )
            for index, field in enumerate(self.schema)
            for extremes in [display(self._extremes[index])]
        ]


def _ordered(kind: pa.DataType) -> bool:
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_decimal256(kind)
    )


def _wider(known: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    found = pc.min_max(pa.chunked_array([known, *_cut(column).chunks], column.type))
    if not found["min"].is_valid:
        return known
    return pa.concat_arrays([pa.repeat(found[end], 1) for end in ("min", "max")])


def _cut(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cut long texts to what is shown of them; their order stays the same.

    Finding the extremes copies the values found: a text of 100 MB took 500 MiB.
    """
    if not pa.types.is_string(column.type):
        return column
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    return pc.utf8_slice_codeunits(column, 0, _KEPT) if longest > _LONG else column
