"""`extract preview`: show the first rows of a local SQL file; publish nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from extract_project.checks.contract import agreed_schema
from extract_project.cli.answers import PreviewAnswer, print_answer
from extract_project.cli.console import (
    NO,
    duration,
    err,
    explains_itself,
    json_option,
    out,
    partition_option,
    table,
)
from extract_project.errors import (
    Cause,
    ManifestError,
    SchemaError,
    TypeMappingError,
    WarehouseError,
)
from extract_project.manifest.example_partition import example_partition, require_partition
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.folder import defaults_from_above, parse_file
from extract_project.manifest.named_columns import missing_columns
from extract_project.planning.describe import placed, placed_faults
from extract_project.planning.sample import Sample, sample
from extract_project.problem import suggestion
from extract_project.schema.display import display
from extract_project.schema.spelling import spelled
from extract_project.schema.text import plain_text
from extract_project.settings import load_settings
from extract_project.units import parse_duration
from extract_project.values import Constant, Value
from extract_project.visible import one_line
from extract_project.warehouses.protocol import Label, Query

if TYPE_CHECKING:
    import pyarrow as pa

_VALUE: TypeAdapter[Value] = TypeAdapter(Constant)
_ANSWERS = {Cause.SQL, Cause.PERMISSION, Cause.TIMEOUT, Cause.MEMORY}
"""Causes that are faults of the file, not of the connection to the warehouse."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1, 10_000))
@partition_option
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Bind this value instead of the header's.",
)
@click.option(
    "--timeout",
    default="1m",
    show_default=True,
    callback=duration,
    help="Cancel the query after this time.",
)
@json_option
@explains_itself
def preview(
    *,
    file: Path,
    rows: int,
    partition: str | None,
    params: tuple[str, ...],
    timeout: str,
    as_json: bool,
) -> None:
    """Print the first rows of a local FILE, publishing nothing.

    It runs the query as a run would, and cancels it once the first rows have arrived. (Snowflake
    computes all rows before it sends the first.) Exit code 1 when the file is invalid,
    the warehouse refuses it, or its header names columns that the result does not have.

    \b
    extract preview sql_manifest/sales/orders.sql
    extract preview sql_manifest/sales/lines.sql --partition 2026-01-01 --param limit=5
    """
    settings = load_settings()
    inherited = defaults_from_above(file.parent, settings.dialects, file.parent)
    parsed = parse_file(file.name, file, settings.dialects, inherited)
    if isinstance(parsed, InvalidExtract):
        for problem in parsed.problems:
            err.print(problem.at(str(file)))
        raise SystemExit(NO)
    query = _query(parsed, partition, dict(_param(each) for each in params))
    label = Label(f"preview of {parsed.path}", parsed.source.sha256[:12], "preview", partition)
    try:
        with err.status(f"asking warehouse {parsed.warehouse}"):
            found = sample(
                settings.warehouses[parsed.warehouse],
                query,
                label,
                rows=rows,
                timeout=parse_duration(timeout),
            )
    except (WarehouseError, TypeMappingError) as error:
        if error.cause not in _ANSWERS:
            raise
        err.print(placed(error, parsed, str(file)))
        raise SystemExit(NO) from None
    if as_json:
        print_answer(PreviewAnswer, _plain(found))
    else:
        _print(found)
    faults = _faults(parsed, found.rows.schema, str(file))
    if faults:
        err.print(faults)
        raise SystemExit(NO)


def _faults(extract: Extract, schema: pa.Schema, file: str) -> str:
    """The reasons for which a run would refuse a result with these columns, or an empty text."""
    try:
        agreed_schema(extract.header.columns, schema)
    except SchemaError as error:
        return placed_faults(error.faults, extract, file)
    return placed_faults(missing_columns(extract.header, schema.names), extract, file)


def _query(extract: Extract, partition: str | None, given: dict[str, Value]) -> Query:
    """The query that a run would send, with the values of --param in place of the header's."""
    example = example_partition(extract)
    if example and partition is None:
        raise ManifestError(
            f"{extract.path} has partitions: choose one, as in --partition {example.key}"
        )
    if partition is None:
        query = extract.query()
    else:
        require_partition(extract, partition)
        from extract_project.orchestration.names.partitions import partition_named

        query = extract.query(partition_named(extract.header, partition))
    known = {each.name for each in query.placeholders}
    for name in given:
        if name not in known:
            hint = suggestion(name, known) if known else "it has no placeholders"
            raise ManifestError(f"the SQL of {extract.path} has no ':{name}': {hint}")
    return replace(query, values={**query.values, **given})


def _param(text: str) -> tuple[str, Value]:
    """`name=value`; the value is read as in a header: 5, 1.50, 2026-01-01, true, text."""
    name, equals, value = text.partition("=")
    try:
        if equals:
            return name, _VALUE.validate_python(yaml.safe_load(value))
    except (yaml.YAMLError, ValidationError):
        pass
    raise ManifestError(
        f"--param {text!r} is not a value: expected name=value, as in --param days=5"
    )


def _print(found: Sample) -> None:
    listed = table(*(_heading(field) for field in found.rows.schema))
    for row in zip(*(display(column) for column in found.rows.columns), strict=True):
        listed.add_row(*row)
    out.print(listed)
    count = found.rows.num_rows
    out.print(f"all {count} rows" if found.complete else f"the first {count} rows")


def _heading(field: pa.Field) -> Text:
    return Text.assemble(one_line(field.name), "\n", (spelled(field.type), "dim"))


def _plain(found: Sample) -> dict[str, Any]:
    names = found.rows.schema.names
    columns = [_json(column) for column in found.rows.columns]
    return {
        "columns": {field.name: spelled(field.type) for field in found.rows.schema},
        "rows": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
        "complete": found.complete,
        "query_id": found.query_id,
    }


def _json(column: pa.ChunkedArray) -> list[Any]:
    """Exact values for JSON: what it has no type for becomes text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return list(column.to_pylist())
    return [text for chunk in column.chunks for text in plain_text(chunk).to_pylist()]
