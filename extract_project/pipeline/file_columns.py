"""The columns of the file: those of the result, with what they mean and which are never NULL.

Rows are fetched, checked and compared as the warehouse gives them, where any column may be NULL.
They are written in the file's schema, in which a column that the header declares `not null` is
required.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from extract_project.checks.contract import KEY, agreed_schema, required_columns
from extract_project.history.receipt import read_schema
from extract_project.manifest.descriptions import undescribable
from extract_project.manifest.extract import Extract
from extract_project.pipeline.provenance import RunOfExtract
from extract_project.problem import Refused
from extract_project.schema.annotations import (
    described,
    descriptions_of,
    required,
    required_names,
)


def promised_schema(extract: Extract, found: pa.Schema) -> pa.Schema:
    """The schema that an extract promises for a result with the schema `found`.

    What the SQL file says of a column comes before what the warehouse says. Raises SchemaError as
    `agreed_schema` does.
    """
    columns = extract.header.columns
    said = {name.casefold(): text for name, text in descriptions_of(found).items()}
    said |= {name.casefold(): text for name, text in extract.descriptions.items()}
    return required(described(agreed_schema(columns, found), said), required_columns(columns))


def undescribed(extract: Extract, columns: Sequence[str]) -> Iterator[str]:
    """A warning, with its position, for each name in the file's `describe` that the result lacks.

    Names in the defaults of a folder need not be in all of its extracts.
    """
    for path, message in undescribable(extract.header, columns):
        try:
            inherited = extract.front_matter.set_in(path)
        except Refused:  # a header of another release
            inherited = None
        if inherited is None:
            yield extract.problem(path, message).at(extract.file)


def written_schema(promised: pa.Schema, run: RunOfExtract) -> pa.Schema:
    """The schema of the file that a run writes.

    It is the promised schema, unless a required column may have NULLs after all: in a result that
    is released although it breaks the contract, or in the published rows to which an incremental
    extract adds.
    """
    release = run.provenance.release
    never = required_names(promised)
    if release and KEY in release.checks:
        never = set()
    if run.base:
        never &= required_names(read_schema(run.base.manifest))
    return required(promised, never)


def as_written(rows: pa.Table, schema: pa.Schema) -> pa.Table | None:
    """The rows in the file's schema; None if they have a NULL where it allows none."""
    for field, column in zip(schema, rows.columns, strict=True):
        if not field.nullable and column.null_count:
            return None
    return pa.Table.from_arrays(rows.columns, schema=schema)
