"""Publish a result at each of several destinations, and tell of those that have not got it.

Each is published by itself: one that fails neither takes the others back nor keeps them from
publishing. A rerun publishes only what is lacking, because equal content adds no version.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from extract_project.errors import Cause, ExtractError, QueryTimeout, RunEnded
from extract_project.history.versions import Version, find_version
from extract_project.manifest.header.model import Header
from extract_project.pipeline.staging import Staged
from extract_project.prefetch import in_thread
from extract_project.publish.places import Branch, Place
from extract_project.publish.publishing import Published, has_content, settle

_LOOK_UP_SECONDS = 15


@dataclass(frozen=True)
class Settled:
    """What became of a result at one place."""

    place: Place
    published: Published | None = None
    error: Exception | None = None
    """Why it was not published."""
    may_change: bool = False
    """Whether the request that publishes may still be carried out."""
    current: str = ""
    """What readers have there, in words, where it was not published."""

    def __str__(self) -> str:
        where = f"destination {self.place.destination!r}"
        if self.published:
            version = f"{self.place.target.uri}?versionId={self.published.version_id}"
            return f"{where} has this result: {version} ({self.published.outcome})"
        sent = ", and a request that publishes this result may still succeed"
        return f"{where} does not: {self.current}{sent if self.may_change else ''}"


class PartlyPublished(ExtractError):
    """Some destinations have not got the result."""

    def __init__(self, settled: Sequence[Settled]) -> None:
        failed = [each for each in settled if each.published is None]
        lines = [f"not published at destination {each.place.destination!r}: " for each in failed]
        reasons = [f"{line}{each.error}" for line, each in zip(lines, failed, strict=True)]
        super().__init__("\n".join(reasons))
        errors = [each.error for each in failed]
        known = [each for each in errors if isinstance(each, ExtractError)]
        self.settled = tuple(settled)
        self.cause = known[0].cause if known else Cause.OURS
        self.transient = len(known) == len(errors) and all(each.transient for each in known)

    @property
    def standing(self) -> str:
        """What readers have at each destination."""
        return "\n".join(map(str, self.settled))


def publish_everywhere(staged: Staged, header: Header) -> Sequence[Settled]:
    """Publish at each destination in turn; raises PartlyPublished, RunEnded or QueryTimeout.

    The last two mean that it was published nowhere.
    """
    ahead = _ahead(staged.branches) if header.unchanged == "publish" else set[str]()
    settled = []
    for branch in staged.branches:
        only_new = header.model_copy(update={"unchanged": "skip"})
        settled.append(_settled(branch, only_new if branch.place.destination in ahead else header))
    return _all_of(settled)


def found_out(staged: Staged, error: Exception) -> Sequence[Settled]:
    """What became of a result whose publishing ended with an error; raises as above."""
    settled = []
    for branch in staged.branches:
        found = _found(branch.place, staged.receipt.id)
        failed = branch.health.error or error
        sent = staged.stop.is_sending
        settled.append(found or _failed(branch.place, failed, may_change=sent))
    return _all_of(settled)


def _all_of(settled: Sequence[Settled]) -> Sequence[Settled]:
    errors = [each.error for each in settled if each.error is not None]
    if len(errors) == len(settled) and all(_is_stop(each) for each in errors):
        raise errors[0]
    if errors:
        raise PartlyPublished(settled)
    return settled


def _is_stop(error: Exception) -> bool:
    return isinstance(error, RunEnded | QueryTimeout)


def _settled(branch: Branch, header: Header) -> Settled:
    place, publishable = branch.place, branch.publishable
    if branch.health.error is not None:
        return _failed(place, branch.health.error)
    assert publishable is not None
    try:
        return Settled(place, settle(place.state, publishable, header))
    except Exception as error:  # of any kind: the other destinations must still be published
        if not isinstance(error, ExtractError):
            logging.getLogger(__name__).exception("publishing at %s failed", place.target.uri)
        sent = publishable.stop.is_sending
        publishable.stop.end_sending()
        found = _found(place, publishable.receipt.id) if sent else None
        return found or _failed(place, error, may_change=sent)


def _failed(place: Place, error: Exception, *, may_change: bool = False) -> Settled:
    try:
        version = _look_up(place)
    except Exception:  # of any kind: the end of the attempt must still be reported
        current = "what readers have there is unknown, because S3 did not answer"
    else:
        current = f"readers still have {version.uri}" if version else "nothing is published there"
    return Settled(place, error=error, may_change=may_change, current=current)


def _found(place: Place, receipt_id: str) -> Settled | None:
    """The outcome of a publishing request that succeeded although its reply did not arrive."""
    try:
        version = _look_up(place)
    except Exception as error:  # as above
        logging.getLogger(__name__).warning("%s is unknown: %r", place.target.uri, error)
        return None
    if version is None or version.provenance.get("receipt") != receipt_id:
        return None
    return Settled(place, Published(version.version_id, "published"))


def _look_up(place: Place) -> Version | None:
    return in_thread(
        "looking up the current version",
        lambda: find_version(place.target.store, place.target.key),
        _LOOK_UP_SECONDS,
    )


def _ahead(branches: Iterable[Branch]) -> set[str]:
    """The destinations that have this very content, where others have not.

    An attempt before this one got no further; to publish there again would add a version.
    """
    has = {}
    for branch in branches:
        name, publishable = branch.place.destination, branch.publishable
        try:
            has[name] = publishable is not None and has_content(branch.place.state, publishable)
        except ExtractError as error:  # publishing will say what is wrong
            logging.getLogger(__name__).warning("destination %s is unknown: %s", name, error)
            has[name] = False
    return set() if all(has.values()) else {name for name, same in has.items() if same}
