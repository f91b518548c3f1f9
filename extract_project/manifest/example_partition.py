"""One partition of an extract: any one, to describe its query, or one that a person names."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from extract_project.errors import ManifestError
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition


def example_partition(extract: Extract) -> Partition | None:
    """Any partition of an extract. The types of a query do not depend on the choice."""
    partitions = extract.header.partitions
    if partitions is None:
        return None
    return partitions.example(ZoneInfo(extract.header.partition_timezone))


def require_partition(extract: Extract, key: str) -> None:
    """Raise ManifestError, with an example key, unless the extract has this partition."""
    partitions, example = extract.header.partitions, example_partition(extract)
    if partitions is None or example is None:
        raise ManifestError(f"{extract.path} has no partitions: leave --partition out")
    if not partitions.accepts(key):
        raise ManifestError(
            f"{extract.path} has no partition {key!r}: choose one, as in --partition {example.key}"
        )
