"""The code version of an extract: it changes with its SQL and with keys that shape the data."""

from __future__ import annotations

import json
from hashlib import sha256

from extract_project.manifest.header.model import SHAPES_DATA, Header
from extract_project.schema.choices import TypeChoices
from extract_project.sql.guard import Statement

_DESCRIPTIONS = {"columns": {"__all__": {"description"}}}


def code_version(statement: Statement, header: Header, warehouse: str, types: TypeChoices) -> str:
    """A hash of the SQL and the data-shaping keys; `warehouse` and `types` include defaults.

    Comments, white space and descriptive keys are ignored.
    """
    words = "\x00".join(token.text for token in statement.tokens)
    filled = header.model_copy(update={"warehouse": warehouse, **types.model_dump()})
    keys = filled.model_dump_json(include=_data_keys(), exclude=_DESCRIPTIONS)
    if header.partitions:
        keys += header.partitions.model_dump_json(include={"type", "offset"})
        keys += header.partition_timezone
    if header.split:
        keys += header.split.model_dump_json()
    if header.may_unload:
        keys += "unload"
    if header.incremental:
        keys += header.incremental.model_dump_json(include={"cursor"})
    options = header.file_format.written_options
    if options:
        keys += json.dumps(options, sort_keys=True)
    return sha256(f"{words}\x00{keys}".encode()).hexdigest()[:16]


def _data_keys() -> set[str]:
    """The keys that count as a whole; of others, only some parts count."""
    fields = Header.model_fields.items()
    return {name for name, field in fields if SHAPES_DATA in field.metadata}
