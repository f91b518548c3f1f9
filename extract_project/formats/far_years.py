"""Refuse dates and timestamps that readers of text files would not understand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.formats.protocol import FileFormat
from extract_project.schema.nested import first_index
from extract_project.schema.text import text_of
from extract_project.schema.years import is_beyond


def written_years(
    batches: Iterable[pa.RecordBatch], file_format: FileFormat
) -> Iterator[pa.RecordBatch]:
    """Pass on the rows unchanged; raises TypeMappingError if a text file would contain such a
    year.
    """
    rows = 0
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            index = first_index(column, _any_beyond) if file_format.is_text else None
            if index is not None:
                raise TypeMappingError(
                    f"column {name!r} has {text_of(column[index])} in row {rows + index + 1:,}, "
                    f"outside the years 0001 to 9999, which readers of {file_format.name} do not "
                    f"understand: replace it in the SQL, or set 'format: parquet'"
                )
        yield batch
        rows += batch.num_rows


def _any_beyond(values: pa.Array) -> bool:
    return is_beyond(values) is not None
