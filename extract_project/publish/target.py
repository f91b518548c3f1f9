"""The key that is published, and what killed runs left staged under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from extract_project.manifest.extract import Extract
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.store.folder import Folder
from extract_project.store.protocol import Abandoned, Store

ABANDONED_AFTER = LONGEST_TIMEOUT + timedelta(hours=1)
"""How old an upload is that no run can own any more, whatever its header's `timeout` was."""


@dataclass(frozen=True)
class Target:
    """The key that is published, and the store that has it."""

    store: Store = field(repr=False)
    key: str

    @classmethod
    def of(cls, data: Folder, extract: Extract, partition: str | None = None) -> Target:
        """Where an extract, or a partition of it, is published below a folder."""
        return cls(data.store, data.key(extract.published_path(partition)))

    @property
    def uri(self) -> str:
        return self.store.uri(self.key)


def sweep(store: Store, prefix: str, owns: Callable[[str], bool], older_than: timedelta) -> int:
    """Discard what `abandoned` finds; returns how many there were."""
    found = list(abandoned(store, prefix, owns, older_than))
    for each in found:
        store.discard(each)
    return len(found)


def abandoned(
    store: Store, prefix: str, owns: Callable[[str], bool], older_than: timedelta
) -> Iterator[Abandoned]:
    """What a `kill -9` left staged long ago, under keys that `owns` says are this extract's."""
    limit = datetime.now(UTC) - older_than
    for each in store.abandoned(prefix):
        if owns(each.key) and each.begun_at < limit:
            yield each
