"""Find values of a header that are wrong, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from extract_project.formats.registry import chosen_format
from extract_project.manifest.fields.cron import ON_SOURCE_CHANGE
from extract_project.manifest.fields.params import RESERVED
from extract_project.manifest.header.frontmatter import Path
from extract_project.manifest.header.model import Header

Fault = tuple[Path, str, *tuple[Path, ...]]
"""Where in the header it stands, what it is, in words, and which other keys it is about."""


def faults_of_keys(header: Header) -> Iterator[tuple[Path, str]]:
    """Each value that is wrong whatever the other keys are: its path, and the error text."""
    seen = set[str]()
    for index, check in enumerate(header.checks):
        if check.name in seen:
            yield ("checks", index), f"duplicate check {check.name!r} in 'checks'"
        seen.add(check.name)
    if ON_SOURCE_CHANGE in header.schedule and not header.on_source_change:
        message = f"'schedule' has both crons and {ON_SOURCE_CHANGE}: keep one of them"
        yield ("schedule",), message
    for name in sorted(RESERVED.intersection(header.params)):
        yield ("params", name), f"params may not redefine {name}"
    for name, options in header.format_options.items():
        for key, message in options.contradictions() if options else ():
            yield (name, key), f"{key!r}: {message}"


def contradictions(header: Header) -> Iterator[Fault]:
    """Keys that do not go together."""
    if header.on_source_change and header.partitions:
        yield (
            ("schedule",),
            f"'schedule: {ON_SOURCE_CHANGE}' cannot tell which partition changed: "
            f"use a cron with partitions",
            ("partitions",),
        )
    if header.on_change and header.partitions:
        yield (
            ("on_change",),
            "'on_change: materialize' would run every partition: launch a backfill instead",
            ("partitions",),
        )
    if header.incremental and header.partitions:
        yield (
            ("incremental",),
            "'incremental' cannot be combined with 'partitions': a partition is published whole, "
            "and its window selects the new rows; keep one of them",
            ("partitions",),
        )
    try:
        chosen_format(header.format, header.compression)
    except ValueError as error:
        yield ("compression",), str(error), ("format",)


def idle_options(header: Header) -> Iterator[Fault]:
    """Keys that say more of a format which the file does not have.

    As defaults of a folder they are for the files that do.
    """
    for name, options in header.format_options.items():
        if options and header.format != name:
            message = f"{name!r} goes with 'format: {name}' only: write that, or remove it"
            yield (name,), message, ("format",)
