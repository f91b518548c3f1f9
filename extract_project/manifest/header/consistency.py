"""Find values of a header that are wrong, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from extract_project.formats.registry import EXTENSIONS, chosen_format
from extract_project.layout import PARTS_MANIFEST, RUN_PARTS
from extract_project.manifest.fields.cron import ON_SOURCE_CHANGE
from extract_project.manifest.fields.params import RESERVED
from extract_project.manifest.fields.path import Naming
from extract_project.manifest.header.frontmatter import Path
from extract_project.manifest.header.model import Header

Fault = tuple[Path, str, *tuple[Path, ...]]
"""Where in the header it stands, what it is, in words, and which other keys it is about."""


_RESERVED = (".extract", "catalog")
_BY_LENGTH = sorted(EXTENSIONS, key=len, reverse=True)


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
    if len(set(header.to)) < len(header.to):
        yield ("to",), "'to' names a destination twice: remove one"
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
            "'on_change: materialize' would run every partition: use extract backfill instead",
            ("partitions",),
        )
    if header.incremental and header.partitions:
        yield (
            ("incremental",),
            "'incremental' cannot be combined with 'partitions': a partition is published whole, "
            "and its window selects the new rows; keep one of them",
            ("partitions",),
        )
    yield from _faults_of_path(header)
    yield from _faults_of_engine(header)
    try:
        chosen_format(header.format, header.compression)
    except ValueError as error:
        yield ("compression",), str(error), ("format",)


def _faults_of_engine(header: Header) -> Iterator[Fault]:
    if not header.may_unload:
        return
    where, chosen, otherwise = (
        ("engine",),
        f"'engine: {header.engine}'",
        "or write 'engine: stream'",
    )
    if header.format != "parquet":
        yield where, f"{chosen} writes parquet: remove 'format', {otherwise}", ("format",)
    if header.compression not in (None, "snappy"):
        yield where, f"{chosen} writes snappy: remove 'compression', {otherwise}", ("compression",)
    for key in ("incremental", "split"):
        if getattr(header, key) is not None:
            message = f"{chosen} cannot be combined with {key!r}: remove it, {otherwise}"
            yield where, message, (key,)
    if len(header.to) > 1:
        yield where, f"{chosen} writes to one destination: name one in 'to', {otherwise}", ("to",)


def _faults_of_path(header: Header) -> Iterator[Fault]:
    if header.path is None:
        return
    partitions = header.partitions
    naming = Naming(header.path, "folder/name", header.form_of_keys)
    where = ("path",)
    if partitions and not naming.has_partition:
        message = "'path' lacks {partition}: each partition would replace the others"
        yield where, f"{message}; write it as in {_with_partition(header.path)}", ("partitions",)
    if naming.has_partition and partitions is None:
        yield where, "'path' has {partition}, but there are no 'partitions': remove one of them"
    if partitions and partitions.type == "static" and naming.has_directives:
        message = "'path' writes {partition:…} as a time, but partitions are keys: write"
        yield where, f"{message} {{partition}}", ("partitions",)
    elif partitions and naming.has_partition and not naming.tells_partitions_apart:
        yield (
            where,
            f"'path' gives {partitions.type} partitions the same object: expected all of "
            f"{partitions.key_format} in it, or {{partition}}",
            ("partitions",),
        )
    yield from ((where, message) for message in _faults_of_names(header.path))
    yield from _faults_of_extension(header, header.path)


def _faults_of_names(path: str) -> Iterator[str]:
    first, _, rest = path.partition("/")
    if rest and first in _RESERVED:
        yield f"'path' begins with {first}/, which is reserved: choose another folder"
    last = path.rpartition("/")[2]
    if RUN_PARTS in path.split("/"):
        yield f"'path' has the folder {RUN_PARTS}, which is reserved: choose another folder"
    if last.startswith("part-") or last == PARTS_MANIFEST:
        yield f"'path' ends with {last}, a name of parts of split extracts: choose another name"


def _faults_of_extension(header: Header, path: str) -> Iterator[Fault]:
    found = next((each for each in _BY_LENGTH if path.endswith(each)), None)
    if header.has_parts:
        key = "split" if header.split else "incremental" if header.incremental else "engine"
        if found:
            message = f"'path' is the folder of the parts with {key!r}: leave out {found}"
            yield ("path",), message, (key,)
        return
    try:
        expected = header.file_format.extension
    except ValueError:  # said of 'compression'
        return
    if found != expected:
        stem = path.removesuffix(found) if found else path
        yield (
            ("path",),
            f"'path' ends with {found or 'no extension'}: expected {expected}, as 'format' and "
            f"'compression' say; write {stem}{expected}",
            ("format", "compression"),
        )


def _with_partition(path: str) -> str:
    stem, dot, extension = path.partition(".")
    return f"{stem}_{{partition}}{dot}{extension}"


def idle_options(header: Header) -> Iterator[Fault]:
    """Keys that say more of a format which the file does not have.

    As defaults of a folder they are for the files that do.
    """
    for name, options in header.format_options.items():
        if options and header.format != name:
            message = f"{name!r} goes with 'format: {name}' only: write that, or remove it"
            yield (name,), message, ("format",)
