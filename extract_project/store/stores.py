"""The stores of one installation: everything that is read and written goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from extract_project.errors import SettingsError
from extract_project.store.destination import DATA, Destination
from extract_project.store.folder import Folder, Location
from extract_project.store.protocol import Buckets, Store
from extract_project.store.schemes import SCHEMES


class Stores:
    """Opens locations. Those of one scheme share connections, made when the first is opened.

    `given`: connections to use, by scheme. `kms_key_id`: the key that encrypts what is written.
    """

    def __init__(
        self, given: Mapping[str, Buckets] | None = None, kms_key_id: str | None = None
    ) -> None:
        self._connected = dict(given or {})
        self._kms_key_id = kms_key_id

    def folder(self, location: Location) -> Folder:
        return Folder.of(self.bucket(location), location.prefix)

    def bucket(self, location: Location) -> Store:
        """The bucket that a location is in."""
        buckets = self._connected.get(location.scheme)
        if buckets is None:
            buckets = SCHEMES[location.scheme].connected(self._kms_key_id)
            self._connected[location.scheme] = buckets
        return buckets.bucket(location.bucket)


@dataclass(frozen=True)
class Folders:
    """The folders of a deployment."""

    stores: Stores
    manifest: Folder
    data: Folder
    state: Folder
    others: Mapping[str, Callable[[], Folder]] = field(default_factory=dict)
    """Opens the data folder of each further destination, once."""
    upstream_manifests: tuple[str, ...] = ()
    """URIs of other manifests, on whose extracts those of `manifest` may depend."""

    def destination(self, name: str = DATA) -> Destination:
        """The destination with this name; raises SettingsError if it is not set."""
        if name == DATA:
            return Destination(name, self.data, self.state)
        if name not in self.others:
            raise SettingsError(
                f"EXTRACT_DESTINATIONS__{name.upper()}__URL is not set: expected the URL of "
                f"destination {name!r}, where this extract is published"
            )
        return Destination(name, self.others[name](), self.state / f"destinations/{name}")

    def destinations(self) -> Iterator[Destination]:
        """All of them, the default one first."""
        yield self.destination()
        yield from map(self.destination, sorted(self.others))

    def destination_of(self, place: Location) -> Destination | None:
        """The destination that an object belongs to; None if it is in none."""
        return next((each for each in self.destinations() if each.holds(place)), None)
