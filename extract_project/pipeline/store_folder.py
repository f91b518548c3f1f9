"""The folder of a store into which a warehouse writes a result."""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.errors import StagingError
from extract_project.store.protocol import Store

_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class StoreFolder:
    """Implements `warehouses.unloading.UnloadFolder`."""

    store: Store
    prefix: str

    @property
    def uri(self) -> str:
        return self.store.uri(self.prefix)

    @property
    def kms_key_id(self) -> str | None:
        return self.store.kms_key_id

    def read(self, name: str) -> bytes:
        """Raises StagingError unless the key has one version, of no more than 64 MiB."""
        key = f"{self.prefix}{name}"
        found = [each for each in self.store.history(key) if each.key == key]
        if len(found) != 1 or found[0].is_deleted or found[0].size > _MOST_BYTES:
            reason = "is missing" if not found else "was written more than once, or is too large"
            raise StagingError(
                f"the warehouse's list of what it has written {reason} ({self.store.uri(key)}): "
                f"run the extract again",
                transient=True,
            )
        return self.store.read(key, found[0].version_id).body
