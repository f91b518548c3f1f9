"""What readers have when an attempt has ended without publishing, at each of its destinations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from extract_project.history.versions import Version
from extract_project.publish.places import Branch, Place, look_up


@dataclass(frozen=True)
class Current:
    """The version that readers have at a destination, as far as it is known."""

    version: Version | None
    is_known: bool = True
    """False if S3 did not answer."""
    may_change: bool = False
    """Whether the attempt's own publishing request may still succeed."""
    destination: str = ""
    others: tuple[Current, ...] = ()
    """The current versions at the other destinations of the extract."""

    @classmethod
    def of(cls, branches: Sequence[Branch]) -> Current:
        """The versions that were current when a result was staged."""
        return _joined(
            [
                cls(each.previous, each.is_alive, destination=each.place.destination)
                for each in branches
            ]
        )

    @property
    def uri(self) -> str:
        if not self.is_known:
            return "unknown"
        return self.version.uri if self.version else "none"


def look_up_each(places: Sequence[Place], *, may_change: bool) -> Current:
    """The current version at each place, if the store answers within a moment."""
    return _joined([replace(_at(each), may_change=may_change) for each in places])


def standing(current: Current) -> str:
    """The sentences that say which version readers have now."""
    everywhere = (current, *current.others)
    told = [_standing(each) for each in everywhere]
    if current.others:
        told = [
            f"destination {each.destination!r}: {words}"
            for each, words in zip(everywhere, told, strict=True)
        ]
    if current.may_change:
        told.append(
            "The request that publishes this result was sent, but S3 did not answer: it may "
            "still be published."
        )
    return "\n".join(told)


def _standing(current: Current) -> str:
    if not current.is_known:
        return "it is unknown which version readers have: S3 did not answer."
    if current.version is None:
        return "nothing has been published under this key yet."
    return f"the published version is untouched: {current.version.uri}"


def _joined(found: Sequence[Current]) -> Current:
    first, *others = found
    return replace(first, others=tuple(others))


def _at(place: Place) -> Current:
    try:
        version = look_up(place)
    except Exception as error:  # of any kind: the end of the attempt must still be reported
        logging.getLogger(__name__).warning("the current version is unknown: %r", error)
        return Current(None, is_known=False, destination=place.destination)
    return Current(version, destination=place.destination)
