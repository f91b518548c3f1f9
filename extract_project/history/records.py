"""Where a record about a published key lies below EXTRACT_STATE: its receipts, its pins.

The state is usually a folder below the data (`<EXTRACT_DATA>/.extract`). What both prefixes share
stands in the key of a record once: S3 takes keys of 1,024 bytes.
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
    """Where earlier releases kept them, which wrote the whole key below the state."""
    return state / f"{kind}/{key}"


def folders(state: F, kind: Kind, key: str) -> list[F]:
    """Every folder that may have records of a key; new ones are written to the first."""
    return list(dict.fromkeys([record_folder(state, kind, key), former_folder(state, kind, key)]))


def require_room(state: Location, key: str, receipt_id: str) -> None:
    """Raise SettingsError where S3 would not take a published key, or that of its receipt."""
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
