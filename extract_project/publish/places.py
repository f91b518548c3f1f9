"""The destinations of one result: each is looked at, staged to and published to by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from extract_project.errors import Cause, ExtractError
from extract_project.history.records import require_room
from extract_project.history.versions import Version, find_version
from extract_project.manifest.extract import Extract
from extract_project.prefetch import in_thread
from extract_project.publish.fan import Health
from extract_project.publish.output import Output
from extract_project.publish.publishing import Publishable
from extract_project.publish.target import ABANDONED_AFTER, Target
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders

_LOOK_UP_SECONDS = 15


@dataclass(frozen=True)
class Place:
    """Where a result is published."""

    destination: str
    target: Target
    state: Folder
    """The folder with the receipts of this destination."""


def look_up(place: Place) -> Version | None:
    """The current version; for callers that can only wait a moment.

    Raises TimeoutError if the store does not answer in time, and the store's own errors.
    """
    store, key = place.target.store, place.target.key
    return in_thread(
        "looking up the current version", lambda: find_version(store, key), _LOOK_UP_SECONDS
    )


def places_of(folders: Folders, extract: Extract, partition: str | None = None) -> list[Place]:
    """Where an extract or one of its partitions is published, in the order of `to`.

    Raises SettingsError for a destination that is not in the settings.
    """
    found = (folders.destination(name) for name in extract.header.to)
    return [
        Place(each.name, Target.of(each.data, extract, partition), each.state) for each in found
    ]


@dataclass
class Branch:
    """A result on its way to one place."""

    place: Place
    previous: Version | None = None
    """The version that was current when the run began."""
    health: Health = field(default_factory=Health)
    output: Output | None = None
    publishable: Publishable | None = None
    """The complete result, once it is staged."""

    @property
    def is_alive(self) -> bool:
        return self.health.error is None

    def look(self, receipt_id: str) -> None:
        """Find the current version; the place must keep versions and have room for a receipt."""
        with self.health.noting(ExtractError):
            target = self.place.target
            target.store.require_versioning()
            require_room(self.place.state, target.key, receipt_id)
            self.previous = find_version(target.store, target.key)

    def open(self, output: Output) -> None:
        """Write to this output from now on."""
        self.output = output
        with self.health.noting():
            output.sweep(ABANDONED_AFTER)

    def abort(self) -> None:
        """Discard what has not been published."""
        if self.output is not None:
            self.output.abort()


class LostEverywhere(ExtractError):
    """None of several destinations takes the result."""

    def __init__(self, branches: Sequence[Branch]) -> None:
        told = (f"destination {each.place.destination!r}: {each.health.error}" for each in branches)
        super().__init__("\n".join(told))
        errors = [each.health.error for each in branches]
        known = [each for each in errors if isinstance(each, ExtractError)]
        self.cause = known[0].cause if known else Cause.OURS
        self.transient = all(each.transient for each in known)


def require_one(branches: Sequence[Branch]) -> None:
    """Raise an error if no branch is left: that of the only destination, or LostEverywhere."""
    if any(each.is_alive for each in branches):
        return
    (first, *others) = branches
    if not others and first.health.error is not None:
        raise first.health.error
    raise LostEverywhere(branches)
