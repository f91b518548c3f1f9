"""`on_schema_change`: compare the columns of a result with those of the current version.

They are compared as soon as they are known, before any row is fetched. If nothing is published, or
the current version has no receipt, there is nothing to compare with: the check passes and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.checks.base import Verdict
from extract_project.checks.contract import written
from extract_project.errors import SchemaError
from extract_project.history.receipt import load_receipt, read_schema, schema_hash
from extract_project.history.versions import Version
from extract_project.manifest.header.model import Header
from extract_project.pipeline.audit import Outcome
from extract_project.schema.change import SchemaChange, compare_schemas
from extract_project.store.folder import Folder

if TYPE_CHECKING:
    import pyarrow as pa

from extract_project.formats.registry import FORMATS

KEY = "on_schema_change"
CHECK = "schema_unchanged"
RULE = "the columns are those of the current version"


def compare_with_version(
    state: Folder, header: Header, current: Version | None, schema: pa.Schema
) -> Outcome | None:
    """The outcome of the comparison; None if the header says `on_schema_change: allow`.

    Raises SchemaError if the columns differ and the header says `on_schema_change: fail`.
    """
    if header.on_schema_change == "allow":
        return None
    if current is None:
        return _passed("nothing is published yet: no columns to compare with")
    shown = _shown(current)
    if current.provenance.get("schema-sha256") == schema_hash(schema):
        return _passed(f"the same columns as {shown}")
    receipt_id = current.provenance.get("receipt")
    receipt = receipt_id and load_receipt(state, current.key, receipt_id)
    if not receipt:
        return _passed(f"nothing to compare with: {shown} has no receipt with its columns")
    by_position = FORMATS[header.format].by_position
    change = compare_schemas(read_schema(receipt), schema, by_position=by_position)
    if not change:
        return _passed(f"the same columns as {shown}")
    summary = _summary(change, shown)
    if header.on_schema_change == "fail":
        faults = [((KEY,), line) for line in (summary, *change.lines())]
        raise SchemaError(CHECK, faults, _advice(schema, header))
    text = "\n".join((summary, *change.lines()))
    breaking = sum(each.breaking for each in change.changes)
    metrics = {"breaking": breaking, "widening": len(change.changes) - breaking}
    return Outcome(CHECK, RULE, "warn", Verdict(False, text, metrics))


def _passed(summary: str) -> Outcome:
    return Outcome(CHECK, RULE, "warn", Verdict(True, summary))


def _shown(current: Version) -> str:
    partition = current.provenance.get("partition")
    of = f" of partition {partition}" if partition else ""
    return f"version {current.version_id}{of}"


def _summary(change: SchemaChange, shown: str) -> str:
    readers = "may break readers" if change.breaking else "does not break readers"
    count = len(change.changes)
    return f"{count} {'difference' if count == 1 else 'differences'} from {shown}; this {readers}"


def _advice(schema: pa.Schema, header: Header) -> str:
    meant = "fix the SQL; or, if this is intended, write 'on_schema_change: warn' for this change"
    if header.columns:
        return meant
    return f"{meant}, or declare the columns instead:\n{written(schema)}"
