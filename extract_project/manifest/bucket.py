"""Read the manifest from its bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from extract_project.errors import (
    BucketError,
    ManifestError,
    NoSuchObject,
    StoreRefused,
    UnknownExtract,
)
from extract_project.manifest.defaults import (
    NAME,
    Defaults,
    DefaultsTree,
    is_defaults,
    read_defaults,
)
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, is_sql
from extract_project.manifest.names import no_extract
from extract_project.manifest.others import OtherManifest, found_elsewhere
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.manifest.together import sort_out
from extract_project.source import SqlSource
from extract_project.store.folder import Folder
from extract_project.store.protocol import NULL_VERSION, ListedObject

_READERS = 16


@dataclass(frozen=True)
class FetchedFile:
    """A manifest file's bytes, and their object version."""

    name: str
    """Below the manifest prefix: `sales/orders.sql`, `sales/_defaults.yaml`."""
    content: bytes
    source: SqlSource

    @property
    def path(self) -> str:
        """The extract's path, if this is a SQL file."""
        return self.name[: -len(SUFFIX)]


def read_manifest(
    manifest: Folder,
    dialects: Dialects,
    known: Snapshot | None = None,
    others: Sequence[OtherManifest] = (),
) -> Snapshot:
    """Every SQL file under the manifest prefix, parsed, with collisions and bad references found.

    Unchanged files with unchanged defaults are taken from `known`. Files may depend on extracts of
    `others`. A file that disappears between
    listing and reading is not part of the snapshot. Raises BucketError if the bucket cannot be
    read.
    """
    parser = _parser(dialects)
    before = known.extracts if known is not None and known.parsed_by == parser else ()
    listed = list(list_files(manifest))
    with ThreadPoolExecutor(_READERS) as pool:
        tree = _read_defaults(manifest, listed, before, dialects, pool)
        kept = _kept(manifest, tree, before)
        sql_files = [file for file in listed if is_sql(file.key)]
        missing = [file for file in sql_files if file not in kept]
        fetched = pool.map(lambda file: fetch_file(manifest, file.key), missing)
        files = [file for file in fetched if file is not None]
    parsed = [
        *(kept[file] for file in sql_files if file in kept),
        *(parse_fetched(file, dialects, tree) for file in files),
    ]
    extracts, invalid = sort_out(parsed, others)
    upstream = {
        path for each in parsed if isinstance(each, Extract) for path in each.header.depends_on
    }
    sources = [*(each.source for each in parsed), *(each.source for each in tree.files)]
    return Snapshot(
        manifest=manifest.uri,
        extracts=extracts,
        invalid=invalid,
        files={source.key: source.etag for source in sources},
        parsed_by=parser,
        upstream=tuple(sorted(upstream)) if others else (),
        elsewhere=found_elsewhere(upstream, others, manifest.uri),
    )


def _read_defaults(
    manifest: Folder,
    listed: Iterable[ListedObject],
    before: Iterable[Extract],
    dialects: Dialects,
    pool: ThreadPoolExecutor,
) -> DefaultsTree:
    """The defaults of every folder, each read once; what is known already is not fetched."""
    known = {
        ListedObject(each.source.key, each.source.etag): FetchedFile(
            each.file, each.text.encode(), each.source
        )
        for extract in before
        for each in extract.defaults
    }

    def fetched(file: ListedObject) -> FetchedFile | None:
        return known.get(file) or fetch_file(manifest, file.key)

    files = pool.map(fetched, [file for file in listed if not is_sql(file.key)])
    return DefaultsTree.of(fetched_defaults(file, dialects) for file in files if file is not None)


def fetched_defaults(file: FetchedFile, dialects: Dialects) -> Defaults:
    """Understand a file of defaults."""
    return read_defaults(file.name, file.content, file.source, dialects.warehouses)


def parse_fetched(
    file: FetchedFile, dialects: Dialects, tree: DefaultsTree
) -> Extract | InvalidExtract:
    """Understand a SQL file with the defaults that reach it."""
    inherited = tree.reaching(file.path)
    return parse_extract(file.path, file.content, file.source, dialects, inherited)


def _kept(
    manifest: Folder, tree: DefaultsTree, before: Iterable[Extract]
) -> dict[ListedObject, Extract]:
    """Return the extracts that need not be read again.

    Invalid files are read again: their problem may be solved by another file.
    """
    return {
        ListedObject(each.source.key, each.source.etag): each
        for each in before
        if tree.reaching(manifest.relative(each.source.key)).sources
        == tuple(file.source for file in each.defaults)
    }


def _parser(dialects: Dialects) -> str:
    words = [version(each) for each in ("extract-project", "sqlglot", "pgparse", "duckdb")]
    words.append(dialects.default)
    words += [f"{name}={dialect.name}" for name, dialect in sorted(dialects.by_warehouse.items())]
    for name, functions in sorted(dialects.forbidden.items()):
        words.append(f"{name} without {sorted(functions)}")
    words += [f"{name} {types.model_dump_json()}" for name, types in sorted(dialects.types.items())]
    words += sorted(dialects.destinations or ())
    return sha256(" ".join(words).encode()).hexdigest()[:16]


def list_files(manifest: Folder) -> Iterator[ListedObject]:
    """Each SQL file, and the defaults; raises BucketError with the grant that is missing."""
    prefix = f"{manifest.prefix}/" if manifest.prefix else ""
    try:
        for item in manifest.store.list(prefix):
            if is_sql(item.key) or is_defaults(item.key):
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
        modified=fetched.modified,
    )
    return FetchedFile(manifest.relative(key), fetched.body, source)


def find_extract(manifest: Folder, path: str, dialects: Dialects) -> Extract:
    """One extract from the bucket; raises UnknownExtract if it is missing, ManifestError if it is
    invalid."""
    path = path.removesuffix(SUFFIX)
    file = fetch_file(manifest, manifest.key(path + SUFFIX))
    if file is None:
        keys = [each.key for each in list_files(manifest) if is_sql(each.key)]
        known = [manifest.relative(key)[: -len(SUFFIX)] for key in keys]
        raise UnknownExtract(f"{manifest}: {no_extract(path, known)}")
    parts = path.split("/")[:-1]
    folders = ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)]
    found = [fetch_file(manifest, manifest.key(f"{folder}{NAME}")) for folder in folders]
    tree = DefaultsTree.of(fetched_defaults(each, dialects) for each in found if each is not None)
    parsed = parse_fetched(file, dialects, tree)
    if isinstance(parsed, InvalidExtract):
        raise ManifestError("\n".join(parsed.reasons))
    return parsed


def _version(version_id: str | None) -> str | None:
    """The version id; None if the file was written before versioning was on."""
    return None if version_id == NULL_VERSION else version_id
