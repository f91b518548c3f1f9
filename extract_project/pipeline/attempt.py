"""One attempt at an extract, from the query to the published version."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from extract_project.errors import Refused
from extract_project.history.receipt import Receipt
from extract_project.manifest.extract import Extract
from extract_project.pipeline.audit import Outcome
from extract_project.pipeline.everywhere import Settled, publish_everywhere
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.prefetch import in_thread
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published, settle
from extract_project.stopping import GRACE_SECONDS, Stop, supervised
from extract_project.warehouses.protocol import Warehouse


@dataclass(frozen=True)
class Done:
    """A result that is published, or was already current."""

    staged: Staged
    published: Published
    before: Receipt | None
    """The receipt of the version that was current when the attempt began."""
    everywhere: tuple[tuple[Place, Published], ...] = ()
    """The outcome at each destination; `published` is that of the first."""


class RefusedResult(Refused):
    """A staged result that must not be published."""

    def __init__(self, staged: Staged, outcomes: Sequence[Outcome]) -> None:
        names = ", ".join(outcome.name for outcome in outcomes)
        super().__init__(f"refused by {names}" if names else "refused for having no rows")
        self.staged = staged
        self.outcomes = tuple(outcomes)
        """The outcomes that refuse it; empty if it was refused for having no rows."""


@contextmanager
def staging(
    warehouse: Warehouse,
    extract: Extract,
    places: Sequence[Place],
    provenance: Provenance,
    *,
    stop: Stop,
) -> Iterator[Staged]:
    """Stage and audit the result, unless `stop` ends the work first.

    Whatever has not been published at the end of the block is aborted. Raises RefusedResult,
    RunEnded, QueryTimeout, and what `stage` raises.
    """
    held = ExitStack()

    def work() -> Staged:
        with ExitStack() as opened:
            # Once stopped, do not repeat unanswered requests. The work itself has to leave this
            # block: the caller may have abandoned it, and the client would go on, for a minute per
            # try, before the staged upload is aborted.
            for place in places:
                opened.enter_context(place.target.store.sending(stop.require))
            staged = opened.enter_context(stage(warehouse, extract, places, provenance, stop=stop))
            _require_accepted(staged, extract)
            stop.require()  # if stopped, the caller may be gone
            held.push(opened.pop_all())
            return staged

    try:
        yield supervised(work, stop)
    finally:
        _abort(held)


def publish_staged(staged: Staged, extract: Extract) -> Done:
    """Publish the staged result, unless `stop` ends it first.

    Raises RunEnded, QueryTimeout, and what `settle` raises, or PartlyPublished if there are several
    destinations. If `staged.stop.is_sending` is true after an error, it is unknown whether the
    result has been published.
    """

    def work() -> Done:
        # Before publishing: a failure here leaves the current version as it is.
        before = staged.baseline.receipt
        if len(staged.branches) > 1:
            return done_everywhere(staged, before, publish_everywhere(staged, extract.header))
        (branch,) = staged.branches
        return done_at_one(staged, before, settle(branch.place.state, staged, extract.header))

    return supervised(work, staged.stop)


def done_at_one(staged: Staged, before: Receipt | None, published: Published) -> Done:
    """The outcome of a result with one destination."""
    (branch,) = staged.branches
    return Done(staged, published, before, ((branch.place, published),))


def done_everywhere(staged: Staged, before: Receipt | None, settled: Sequence[Settled]) -> Done:
    """The outcome of a result that has reached each of several destinations."""
    everywhere = tuple((each.place, each.published) for each in settled if each.published)
    return Done(staged, everywhere[0][1], before, everywhere)


def attempt(
    warehouse: Warehouse,
    extract: Extract,
    places: Sequence[Place],
    provenance: Provenance,
    *,
    stop: Stop,
) -> Done:
    """Stage, audit and publish, without Dagster. Raises as `staging` and `publish_staged` do."""
    with staging(warehouse, extract, places, provenance, stop=stop) as staged:
        return publish_staged(staged, extract)


def _abort(held: ExitStack) -> None:
    """Abort what has not been published. If the store does not answer, a later sweep does it."""
    try:
        in_thread("aborting the staged upload", held.close, GRACE_SECONDS)
    except TimeoutError as error:
        logging.getLogger(__name__).warning("%s: a later run sweeps it", error)


def _require_accepted(staged: Staged, extract: Extract) -> None:
    refusing = [outcome for outcome in staged.outcomes if outcome.refuses]
    results = [each.publishable for each in staged.branches if each.publishable]
    is_empty = any(not each.receipt.rows for each in results)
    if refusing or (is_empty and extract.header.on_empty == "fail"):
        raise RefusedResult(staged, refusing)
