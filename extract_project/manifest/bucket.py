"""Read the manifest from its bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from extract_project.errors import BucketError, ManifestError, NoSuchObject, StoreRefused
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, SqlSource
from extract_project.manifest.names import no_extract
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.problem import Problem, suggestion
from extract_project.store.folder import Folder
from extract_project.store.protocol import NULL_VERSION, ListedObject

_READERS = 16


@dataclass(frozen=True)
class FetchedFile:
    """A SQL file's bytes, and their object version."""

    path: str
    content: bytes
    source: SqlSource


def read_manifest(manifest: Folder, dialects: Dialects, known: Snapshot | None = None) -> Snapshot:
    """Every SQL file under the manifest prefix, parsed, with collisions and bad references found.

    Unchanged files are taken from `known`. A file that disappears between listing and reading is
    not part of the snapshot. Raises BucketError if the bucket cannot be read.
    """
    parser = _parser(dialects)
    kept = _kept(known, parser)
    listed = list(list_files(manifest))
    missing = [file for file in listed if file not in kept]
    with ThreadPoolExecutor(_READERS) as pool:
        fetched = pool.map(lambda file: fetch_file(manifest, file.key), missing)
        files = [file for file in fetched if file is not None]
    parsed = [
        *(kept[file] for file in listed if file in kept),
        *(parse_extract(f.path, f.content, f.source, dialects) for f in files),
    ]
    extracts, invalid = sort_out(parsed)
    return Snapshot(
        manifest=manifest.uri,
        extracts=extracts,
        invalid=invalid,
        files={each.source.key: each.source.etag for each in parsed},
        parsed_by=parser,
    )


def _kept(known: Snapshot | None, parser: str) -> dict[ListedObject, Extract]:
    """The files that need not be read again: valid ones. What an invalid one lacks may exist
    now."""
    if known is None or known.parsed_by != parser:
        return {}
    return {ListedObject(each.source.key, each.source.etag): each for each in known.extracts}


def _parser(dialects: Dialects) -> str:
    words = [version(each) for each in ("extract-project", "sqlglot", "pgparse", "duckdb")]
    words.append(dialects.default)
    words += [f"{name}={dialect.name}" for name, dialect in sorted(dialects.by_warehouse.items())]
    for name, functions in sorted(dialects.forbidden.items()):
        words.append(f"{name} without {sorted(functions)}")
    words += [f"{name} {types.model_dump_json()}" for name, types in sorted(dialects.types.items())]
    return sha256(" ".join(words).encode()).hexdigest()[:16]


def list_files(manifest: Folder) -> Iterator[ListedObject]:
    """Each SQL file; raises BucketError with the grant that is missing."""
    prefix = f"{manifest.prefix}/" if manifest.prefix else ""
    try:
        for item in manifest.store.list(prefix):
            if item.key.lower().endswith(SUFFIX):
                yield item
    except StoreRefused as error:
        raise BucketError(
            f"manifest {manifest} cannot be listed ({error.code}): check EXTRACT_MANIFEST, "
            f"and grant s3:ListBucket on arn:aws:s3:::{manifest.bucket}"
        ) from error


def fetch_file(manifest: Folder, key: str) -> FetchedFile | None:
    """The file's current bytes, or None if it has been deleted meanwhile."""
    try:
        fetched = manifest.store.read(key)
    except NoSuchObject:
        return None
    except StoreRefused as error:
        raise BucketError(
            f"{manifest.store.uri(key)} cannot be read ({error.code}): "
            f"grant s3:GetObject on arn:aws:s3:::{manifest.bucket}/{manifest.key('*')}"
        ) from error
    source = SqlSource(
        key=key,
        version_id=_version(fetched.version_id),
        etag=fetched.token,
        sha256=sha256(fetched.body).hexdigest(),
    )
    return FetchedFile(manifest.relative(key)[: -len(SUFFIX)], fetched.body, source)


def find_extract(manifest: Folder, path: str, dialects: Dialects) -> Extract:
    """One extract from the bucket; raises ManifestError if it is missing or invalid."""
    path = path.removesuffix(SUFFIX)
    file = fetch_file(manifest, manifest.key(path + SUFFIX))
    if file is None:
        known = [manifest.relative(each.key)[: -len(SUFFIX)] for each in list_files(manifest)]
        raise ManifestError(f"{manifest}: {no_extract(path, known)}")
    parsed = parse_extract(file.path, file.content, file.source, dialects)
    if isinstance(parsed, InvalidExtract):
        raise ManifestError("\n".join(parsed.reasons))
    return parsed


def _version(version_id: str | None) -> str | None:
    """The version id; None if the file was written before versioning was on."""
    return None if version_id == NULL_VERSION else version_id


def sort_out(
    parsed: Iterable[Extract | InvalidExtract],
    is_elsewhere: Callable[[str], bool] = lambda _: False,
) -> tuple[tuple[Extract, ...], tuple[InvalidExtract, ...]]:
    """Split a manifest into valid and invalid extracts.

    Collisions and bad references can only be found with all files together. `is_elsewhere` tells
    whether a path exists outside these files.
    """
    files: dict[str, list[Extract | InvalidExtract]] = {}
    for file in sorted(parsed, key=lambda each: each.source.key):
        files.setdefault(file.path, []).append(file)
    extracts = []
    invalid = []
    for _, same in sorted(files.items()):
        file = same[0]
        problem = _collision(same) if len(same) > 1 else _bad_reference(file, files, is_elsewhere)
        if problem and isinstance(file, Extract):
            file = _invalidate(file, problem)
        if isinstance(file, Extract):
            extracts.append(file)
        else:
            invalid.append(file)
    return tuple(extracts), tuple(invalid)


def _collision(same: list[Extract | InvalidExtract]) -> Problem:
    keys = " and ".join(f"'{file.source.key}'" for file in same)
    return Problem(line=1, column=1, message=f"{keys} are the same extract: rename one of them")


def _bad_reference(
    file: Extract | InvalidExtract,
    files: dict[str, list[Extract | InvalidExtract]],
    is_elsewhere: Callable[[str], bool],
) -> Problem | None:
    if not isinstance(file, Extract):
        return None
    for index, path in enumerate(file.header.depends_on):
        line, column = file.place(("depends_on", index))
        if path == file.path:
            return Problem(line=line, column=column, message="an extract cannot depend on itself")
        if path not in files and is_elsewhere(path):
            continue
        if path not in files:
            message = f"no extract {path!r} to depend on: {suggestion(path, files)}"
            return Problem(line=line, column=column, message=message)
        way = _way_back(path, file.path, files)
        if way:
            shown = " → ".join([file.path, *way])
            message = f"these depend on each other: {shown}: remove one dependency"
            return Problem(line=line, column=column, message=message)
    return None


def _way_back(start: str, end: str, files: dict[str, list[Extract | InvalidExtract]]) -> list[str]:
    """The chain of dependencies from one extract to another; empty if there is none."""
    reached_from: dict[str, str] = {}
    coming = [start]
    while coming:
        path = coming.pop()
        if path == end:
            way = [end]
            while way[0] != start:
                way.insert(0, reached_from[way[0]])
            return way
        file = files[path][0] if path in files else None
        for each in file.header.depends_on if isinstance(file, Extract) else ():
            if each not in reached_from and each != start:
                reached_from[each] = path
                coming.append(each)
    return []


def _invalidate(extract: Extract, problem: Problem) -> InvalidExtract:
    return InvalidExtract(
        path=extract.path, source=extract.source, text=extract.text, problems=(problem,)
    )
