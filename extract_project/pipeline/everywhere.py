"""Publish a result at each of several destinations, and report those that do not have it.

Destinations are independent: a failure at one neither undoes nor prevents publishing at another. A
rerun publishes only where the result is missing, because equal content adds no version.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from extract_project.errors import Cause, ExtractError
from extract_project.manifest.header.model import Header
from extract_project.pipeline.staging import Staged
from extract_project.publish.places import Branch, Place, look_up
from extract_project.publish.publishing import Published, has_content, settle


@dataclass(frozen=True)
class Settled:
    """The outcome of a result at one place: published, or the error."""

    place: Place
    published: Published | None = None
    error: Exception | None = None
    """Why the result was not published there; None if it was."""
    may_change: bool = False
    """Whether the publishing request may still succeed: it was sent, and no answer came."""
    current: str = ""
    """What readers have at the destination, in words, if the result was not published there."""

    def __str__(self) -> str:
        where = f"destination {self.place.destination!r}"
        if self.published:
            version = f"{self.place.target.uri}?versionId={self.published.version_id}"
            return f"{where} has this result: {version} ({self.published.outcome})"
        sent = ", and a request that publishes this result may still succeed"
        return f"{where} does not have it: {self.current}{sent if self.may_change else ''}"


class PartlyPublished(ExtractError):
    """Some destinations do not have the result."""

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
    def published(self) -> list[tuple[Place, Published]]:
        """Where it has been published."""
        return [(each.place, each.published) for each in self.settled if each.published]

    @property
    def standing(self) -> str:
        """What readers have at each destination."""
        return "\n".join(map(str, self.settled))


def publish_everywhere(staged: Staged, header: Header) -> Sequence[Settled]:
    """Publish at each destination in turn; raises PartlyPublished.

    An error that is the same at each of them, such as the end of the run, is raised as it is.
    """
    ahead = _ahead(staged.branches) if header.unchanged == "publish" else set[str]()
    only_new = header.model_copy(update={"unchanged": "skip"})
    settled = []
    for branch in staged.branches:
        settled.append(_settled(branch, only_new if branch.place.destination in ahead else header))
    return _all_of(settled)


def found_out(staged: Staged, error: Exception) -> Sequence[Settled]:
    """Look up which destinations have the result, after publishing has ended with an error.

    Raises as `publish_everywhere` does.
    """
    sent = staged.stop.is_sending
    return _all_of(
        [
            _looked_up(each.place, staged.receipt.id, each.health.error or error, may_change=sent)
            for each in staged.branches
        ]
    )


def _all_of(settled: Sequence[Settled]) -> Sequence[Settled]:
    errors = [each.error for each in settled if each.error is not None]
    if len(errors) == len(settled) and all(each is errors[0] for each in errors):
        raise errors[0]
    if errors:
        raise PartlyPublished(settled)
    return settled


def _settled(branch: Branch, header: Header) -> Settled:
    place, publishable = branch.place, branch.publishable
    if branch.health.error is not None or publishable is None:
        assert branch.health.error is not None
        return _looked_up(place, None, branch.health.error)
    stop = publishable.stop
    try:
        with branch.health.waiting():
            return Settled(place, settle(place.state, publishable, header))
    except Exception as error:  # of any kind: the other destinations must still be published
        if not isinstance(error, ExtractError):
            logging.getLogger(__name__).exception("publishing at %s failed", place.target.uri)
        sent = stop.is_sending
        stop.end_sending()
        return _looked_up(place, publishable.receipt.id, error, may_change=sent)


def _looked_up(
    place: Place, receipt_id: str | None, error: Exception, *, may_change: bool = False
) -> Settled:
    """Look up what a place has after an error.

    It may have this result after all: the reply to the publishing request may have been lost.
    """
    try:
        version = look_up(place)
    except Exception as unknown:  # of any kind: the end of the attempt must still be reported
        logging.getLogger(__name__).warning(
            "the current version of %s is unknown: %r", place.target.uri, unknown
        )
        current = "what readers have there is unknown, because S3 did not answer"
        return Settled(place, error=error, may_change=may_change, current=current)
    if version is None:
        current = "nothing is published there"
    elif version.provenance.get("receipt") == receipt_id:
        return Settled(place, Published(version.version_id, "published"))
    else:
        current = f"readers still have {version.uri}"
    return Settled(place, error=error, may_change=may_change, current=current)


def _ahead(branches: Iterable[Branch]) -> set[str]:
    """The destinations that already have this content, while others do not; empty if all have it.

    An earlier attempt stopped after them. Publishing there again would add a version.
    """
    has = {}
    for branch in branches:
        name, publishable = branch.place.destination, branch.publishable
        try:
            has[name] = publishable is not None and has_content(branch.place.state, publishable)
        except ExtractError as error:  # publishing will say what is wrong
            logging.getLogger(__name__).warning(
                "what destination %s has is unknown: %s", name, error
            )
            has[name] = False
    return set() if all(has.values()) else {name for name, same in has.items() if same}
