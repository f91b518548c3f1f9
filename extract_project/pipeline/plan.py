"""Compute what a push of local SQL files would change: in the manifest, the data, the schemas.

Nothing is run or written. Local files are parsed as if they were in the bucket, and warehouses
describe the new and changed queries.
"""

from __future__ import annotations

import difflib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from extract_project.errors import (
    Cause,
    ManifestError,
    SchemaError,
    TypeMappingError,
    WarehouseError,
)
from extract_project.history.receipt import load_receipt, read_schema
from extract_project.history.versions import find_version, published_partitions
from extract_project.manifest.bucket import (
    FetchedFile,
    fetch_file,
    fetched_defaults,
    parse_fetched,
    sort_out,
)
from extract_project.manifest.defaults import Defaults, DefaultsTree
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, is_sql
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.folder import local_defaults, parse_files
from extract_project.manifest.named_columns import missing_columns
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.push import compare
from extract_project.pipeline.file_columns import promised_schema, undescribed
from extract_project.schema.change import SchemaChange, compare_schemas
from extract_project.schema.choices import WIDEST
from extract_project.store.destination import Destination
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders
from extract_project.warehouses.protocol import Label, Query, Session, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.schema.narrowed import Narrowed

_TIMEOUT = timedelta(minutes=1)
_UNREACHABLE = {Cause.SIGN_IN, Cause.NETWORK, Cause.SETTINGS, Cause.BUSY}

Parsed = Extract | InvalidExtract
Faults = Iterable[tuple[tuple[str | int, ...], str]]


@dataclass(frozen=True)
class Planned:
    """The change to one SQL file."""

    change: Literal["new", "changed", "removed", "invalid", "same"]
    path: str
    before: Parsed | None = None
    """The file in the bucket."""
    after: Parsed | None = None
    """The file after the push."""
    defaults: tuple[str, ...] = ()
    """The files of defaults that change and reach it."""
    dependents: tuple[str, ...] = ()
    """The extracts that depend on it after the push."""

    @property
    def problems(self) -> list[str]:
        """Why it is invalid, each problem with its position."""
        return self.after.reasons if isinstance(self.after, InvalidExtract) else []

    @property
    def changes_data(self) -> bool:
        """Whether the next run could publish other data, because the code version changes."""
        return _code_version(self.before) != _code_version(self.after)

    @property
    def changes_header(self) -> bool:
        """Whether a key of its header, with its defaults, gets another value."""
        return _header(self.before) != _header(self.after)

    @property
    def changed_keys(self) -> list[str]:
        """Which keys do, of a file that is valid before and after."""
        before, after = _header(self.before), _header(self.after)
        return [key for key in after if key in before and before[key] != after[key]]

    def diff(self) -> list[str]:
        """The lines of the SQL file that change, as `diff -u` shows them."""
        old, new = (_lines(each) for each in (self.before, self.after))
        file = f"{self.path}{SUFFIX}"
        return list(difflib.unified_diff(old, new, f"bucket/{file}", f"local/{file}", lineterm=""))


@dataclass(frozen=True)
class Described:
    """The schema of a new or changed extract, and that of its published version."""

    published: pa.Schema | None
    """None if nothing is published, or its schema is unknown."""
    planned: pa.Schema | None
    """None if the warehouse refuses the query."""
    refusal: str = ""
    """Why it does, or how the header's `columns` differ; with the position in the file."""
    narrowed: tuple[Narrowed, ...] = ()
    """Columns of which the file would not keep every value that their type in the warehouse has."""
    by_position: bool = False
    """Whether readers find columns by position, as in CSV."""
    doubts: tuple[str, ...] = ()
    """What is wrong and does not keep the extract from running, with the position in the file."""

    @property
    def difference(self) -> SchemaChange:
        """The changes of the columns; none if one of the schemas is unknown."""
        if self.published is None or self.planned is None:
            return SchemaChange(())
        return compare_schemas(self.published, self.planned, by_position=self.by_position)

    @property
    def changes(self) -> list[str]:
        """The changes of the columns, one line each."""
        return self.difference.lines()


def plan(
    manifest: Folder,
    files: dict[str, Path],
    dialects: Dialects,
    *,
    delete: bool,
    whole: bool = False,
) -> list[Planned]:
    """What `extract push` of these files would change, in the order of their paths.

    With `delete`, files that are only in the bucket are removed; otherwise they stay, and other
    files can depend on them. With `whole`, unchanged files are in it too: what is published
    of them may come from other settings. Raises BucketError if the manifest cannot be read.
    """
    changes = compare(manifest, files)
    there = _fetched(manifest, (*changes.changed, *changes.removed))
    staying = {} if delete else {name: there[name] for name in changes.removed if name in there}
    unchanged = {name: files[name] for name in changes.same}
    now = DefaultsTree.of([*local_defaults(unchanged, dialects), *_defaults_among(there, dialects)])
    then = DefaultsTree.of([*local_defaults(files, dialects), *_defaults_among(staying, dialects)])
    reached = {name: found for name in (*files, *there) if (found := _differing(now, then, name))}
    touched = {name: file for name, file in unchanged.items() if name in reached}
    was: list[Parsed] = [*_parsed(there, dialects, now), *parse_files(touched, dialects, now)]
    before = {each.path: each for each in was}
    local = parse_files(files, dialects, then)
    extracts, invalid = sort_out([*local, *_parsed(staying, dialects, then)])
    parsed: list[Parsed] = [*extracts, *invalid]
    after = {each.path: each for each in parsed}
    dependents: dict[str, list[str]] = defaultdict(list)
    for extract in extracts:
        for upstream in extract.header.depends_on:
            dependents[upstream].append(extract.path)
    told: dict[str, Planned] = {}
    for name in filter(is_sql, (*files, *there)):
        path = name[: -len(SUFFIX)]
        planned = Planned(
            "changed",
            path,
            before.get(path),
            after.get(path),
            reached.get(name, ()),
            tuple(dependents[path]),
        )
        if isinstance(planned.after, InvalidExtract):
            told[path] = replace(planned, change="invalid")
        elif planned.after is None:
            told[path] = replace(planned, change="removed")
        elif name in changes.added:
            told[path] = replace(planned, change="new")
        elif name in changes.changed or (name in reached and planned.changes_header):
            told[path] = planned
        elif whole:
            told[path] = replace(planned, change="same", before=planned.after)
    return [told[path] for path in sorted(told)]


def describe(
    folders: Folders,
    warehouses: Mapping[str, Warehouse],
    planned: Iterable[Planned],
) -> Iterator[tuple[Planned, Described]]:
    """The schema of each new and changed extract, as its warehouse describes it, and the published
    one.

    Raises WarehouseError if a warehouse cannot be reached.
    """
    waiting: dict[str, deque[tuple[Planned, Extract]]] = {}
    for each in planned:
        if isinstance(each.after, Extract):
            waiting.setdefault(each.after.warehouse, deque()).append((each, each.after))
    for name, extracts in waiting.items():
        for each, extract, answer in _ask(warehouses[name], extracts):
            published = _published_schema(folders.destination(extract.destination), extract)
            by_position = extract.file_format.format.by_position
            yield each, replace(answer, published=published, by_position=by_position)


def _ask(
    warehouse: Warehouse, waiting: deque[tuple[Planned, Extract]]
) -> Iterator[tuple[Planned, Extract, Described]]:
    """Each warehouse's description, without a published schema to compare with."""
    label = Label("plan", "local", "plan")
    while waiting:
        with warehouse.connect(label, _TIMEOUT) as session:
            while waiting:
                each, extract = waiting.popleft()
                query = extract.query(example_partition(extract))
                try:
                    found = session.describe(query)
                    answer = promised_schema(extract, found)
                    wide = _narrowed(session, query, found)
                except SchemaError as error:
                    refusal = placed_faults(error.faults, extract, extract.file)
                    yield each, extract, Described(None, None, refusal)
                    continue
                except (WarehouseError, TypeMappingError) as error:
                    if error.cause in _UNREACHABLE:
                        raise
                    yield each, extract, Described(None, None, placed(error, extract.file))
                    break  # after a failure, the transaction accepts nothing more
                missing = list(missing_columns(extract.header, answer.names))
                refusal = placed_faults(missing, extract, extract.file)
                planned = None if refusal else answer
                doubts = tuple(undescribed(extract, answer.names))
                yield each, extract, Described(None, planned, refusal, wide, doubts=doubts)


def _narrowed(session: Session, query: Query, found: pa.Schema) -> tuple[Narrowed, ...]:
    from extract_project.schema.narrowed import narrowed

    try:
        widest = session.describe(replace(query, types=WIDEST))
    except TypeMappingError:  # more digits than any decimal: only int64 is left
        return ()
    return tuple(narrowed(widest, found))


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


def placed_faults(faults: Faults, extract: Extract, file: str) -> str:
    """Faults of header keys, one line each, with their positions in a file."""
    return "\n".join(extract.problem(path, fault).at(file) for path, fault in faults)


def placed(error: Exception, file: str) -> str:
    """An error with its position in a SQL file, if the warehouse gave one."""
    line, column = getattr(error, "line", None), getattr(error, "column", None)
    return ":".join(str(each) for each in (file, line, column) if each is not None) + f": {error}"


def _published_schema(destination: Destination, extract: Extract) -> pa.Schema | None:
    """The schema of the current version; for a partitioned extract, of the newest partition."""
    data, newest = destination.data, None
    if extract.header.partitions:
        found = published_partitions(data, extract)
        if not found:
            return None
        newest = found[-1]
    version = find_version(data.store, data.key(extract.published_path(newest)))
    receipt_id = version.provenance.get("receipt") if version else None
    receipt = (
        load_receipt(destination.state, version.key, receipt_id) if version and receipt_id else None
    )
    return read_schema(receipt) if receipt else None


def _fetched(manifest: Folder, names: Iterable[str]) -> dict[str, FetchedFile]:
    found = {name: fetch_file(manifest, manifest.key(name)) for name in sorted(names)}
    return {name: file for name, file in found.items() if file is not None}


def _defaults_among(files: Mapping[str, FetchedFile], dialects: Dialects) -> Iterator[Defaults]:
    return (fetched_defaults(each, dialects) for each in files.values() if not is_sql(each.name))


def _parsed(
    files: Mapping[str, FetchedFile], dialects: Dialects, tree: DefaultsTree
) -> Iterator[Parsed]:
    return (parse_fetched(each, dialects, tree) for each in files.values() if is_sql(each.name))


def _differing(now: DefaultsTree, then: DefaultsTree, name: str) -> tuple[str, ...]:
    """The files of defaults that reach a file and change."""
    old, new = (
        {each.file: each.text for each in tree.reaching(name).files} for tree in (now, then)
    )
    return tuple(sorted(file for file in old.keys() | new if old.get(file) != new.get(file)))


def _header(parsed: Parsed | None) -> dict[str, Any]:
    return parsed.header.model_dump() if isinstance(parsed, Extract) else {}


def _code_version(parsed: Parsed | None) -> str | None:
    return parsed.code_version if isinstance(parsed, Extract) else None


def _lines(parsed: Parsed | None) -> list[str]:
    return parsed.text.splitlines() if parsed else []
