"""The published key of an extract, and the sweep of uploads that killed runs left under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from extract_project.manifest.extract import Extract
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.store.folder import Folder
from extract_project.store.protocol import Abandoned, Store

ABANDONED_AFTER = LONGEST_TIMEOUT + timedelta(hours=1)
"""The age from which an upload belongs to no live run, whatever its header's `timeout` was."""


@dataclass(frozen=True)
class Target:
    """The published key, and its store."""

    store: Store = field(repr=False)
    key: str
    root: str = ""
    """The prefix of the destination."""

    @classmethod
    def of(cls, data: Folder, extract: Extract, partition: str | None = None) -> Target:
        """The target of an extract, or of one of its partitions, below a folder."""
        return cls(data.store, data.key(extract.published_path(partition)), data.prefix)

    @property
    def uri(self) -> str:
        return self.store.uri(self.key)


def sweep(store: Store, prefix: str, owns: Callable[[str], bool], older_than: timedelta) -> int:
    """Abort the uploads that `abandoned` finds; returns their number."""
    found = list(abandoned(store, prefix, owns, older_than))
    for each in found:
        store.discard(each)
    return len(found)


def abandoned(
    store: Store, prefix: str, owns: Callable[[str], bool], older_than: timedelta
) -> Iterator[Abandoned]:
    """Old uploads that a `kill -9` left behind, under keys for which `owns` is true."""
    limit = datetime.now(UTC) - older_than
    for each in store.abandoned(prefix):
        if owns(each.key) and each.begun_at < limit:
            yield each
