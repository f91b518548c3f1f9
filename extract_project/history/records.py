"""The keys of records about a published key, below EXTRACT_STATE: its receipts, its pins.

The state is usually a folder below the data (`<EXTRACT_DATA>/.extract`). The common prefix is in
the key of a record only once, because S3 limits keys to 1,024 bytes.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from extract_project.errors import SettingsError
from extract_project.store.folder import Location

F = TypeVar("F", bound=Location)
_LONGEST_KEY = 1024

Kind = Literal["receipts", "pins"]


def record_folder(state: F, kind: Kind, key: str) -> F:
    """The folder of the records of one published key."""
    shared = state.prefix.rpartition("/")[0]
    return state / f"{kind}/{key.removeprefix(f'{shared}/') if shared else key}"


def former_folder(state: F, kind: Kind, key: str) -> F:
    """The folder of earlier releases, which wrote the whole key below the state."""
    return state / f"{kind}/{key}"


def folders(state: F, kind: Kind, key: str) -> list[F]:
    """All folders that may have records of a key; new records are written to the first."""
    return list(dict.fromkeys([record_folder(state, kind, key), former_folder(state, kind, key)]))


def require_room(state: Location, key: str, receipt_id: str) -> None:
    """Raise SettingsError if a published key, or the key of its receipt, is too long for S3."""
    longest = max(
        key, (record_folder(state, "receipts", key) / f"{receipt_id}.json").prefix, key=_size
    )
    if _size(longest) > _LONGEST_KEY:
        raise SettingsError(
            f"the key {longest!r} would have {_size(longest):,} bytes: S3 takes {_LONGEST_KEY:,}; "
            f"shorten the prefix of EXTRACT_DATA or EXTRACT_STATE, or the path of the SQL file"
        )


def _size(key: str) -> int:
    return len(key.encode())
