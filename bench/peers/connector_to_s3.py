"""The careful hand-written script for Snowflake: the connector's Arrow batches, streamed to S3.

Exact and bounded in memory, but not atomic beyond the single object, and nothing checks the
result. The first batch decides the schema: an empty result leaves no object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain

import pyarrow as pa
import snowflake.connector
from _task import Task


def widened(schema: pa.Schema) -> pa.Schema:
    """Widen the integers: each batch has the narrowest type that holds its values, so types
    differ.
    """
    return pa.schema(
        [
            field.with_type(pa.int64()) if pa.types.is_integer(field.type) else field
            for field in schema.remove_metadata()
        ]
    )


def main() -> None:
    task = Task.read("snowflake")
    # Not the session's own context manager: that ends with a COMMIT, and a read needs none.
    with closing(
        snowflake.connector.connect(**task.snowflake_options(), arrow_number_to_decimal=True)
    ) as session:
        batches: Iterator[pa.Table] = session.cursor().execute(task.query).fetch_arrow_batches()
        first = next(batches)
        schema = widened(first.schema)
        task.write_parquet(schema, (table.cast(schema) for table in chain([first], batches)))


if __name__ == "__main__":
    main()
