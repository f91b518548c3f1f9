"""Where extracts are published: named places."""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.store.folder import Folder, Location

DATA = "data"
"""Name of the destination of EXTRACT_DATA, which is the default."""


@dataclass(frozen=True)
class Destination:
    """A place where extracts are published, with the records about what is published there."""

    name: str
    data: Folder
    state: Folder
    """The folder of receipts and pins. Each destination has its own, so that equal keys never mix.
    """

    def holds(self, place: Location) -> bool:
        """Whether an object belongs to it."""
        return self.data.is_beside(place) and place.prefix.startswith(self.data.key(""))
