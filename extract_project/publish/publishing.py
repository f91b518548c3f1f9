"""Making a staged result the current version of its key: one conditional request.

The condition is that the key still holds what has just been looked at, which is not of a run that
started later (G4). When it does not hold, three things can have happened, and the object's own
metadata tells which: our own write went through although its reply was lost; a run that started
later has published, and its data stays; or a run that started earlier has, and we try again on top
of it. What is added to rows that are there already (an incremental extract) is only ever added to
what the run began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from extract_project.errors import BucketError, StagingError, StoreRefused, Superseded
from extract_project.history.receipt import Receipt, load_receipt, save_receipt
from extract_project.history.versions import Version, find_version
from extract_project.manifest.header.model import Header
from extract_project.publish.output import Output
from extract_project.publish.target import Target
from extract_project.stopping import Stage, Stop
from extract_project.store.folder import Folder
from extract_project.store.protocol import NULL_VERSION, Absent, Holds, NotApplied

_TRIES = 5


@dataclass(frozen=True)
class Publishable:
    """A whole result, uploaded and audited, that nobody can see."""

    output: Output
    receipt: Receipt
    previous: Version | None
    """What was current when the run began."""
    stop: Stop
    """Whether it may still be published."""
    appends: bool
    """Whether it holds the rows of `previous` and new ones, so that it can follow on nothing
    else."""


@dataclass(frozen=True)
class Published:
    """What a staged result became."""

    version_id: str
    outcome: Literal["published", "unchanged", "kept"]
    """`unchanged`: the current version has this very content. `kept`: the result was empty, and
    the header keeps the current version then. In both cases `version_id` was there before."""


def settle(state: Folder, staged: Publishable, header: Header) -> Published:
    """Publish a staged result, unless the header says that what is current should stay.

    Raises as `publish` does.
    """
    target = staged.output.target
    staged.stop.at(Stage.PUBLISHING)
    # Not what the run began with: an earlier run may have published since, or somebody deleted it.
    current = find_version(target.store, target.key)
    if current and not staged.receipt.rows and header.on_empty == "keep":
        return Published(current.version_id, "kept")
    if current and header.unchanged == "skip" and _same_content(state, staged, current):
        published = Published(current.version_id, "unchanged")
    else:
        published = Published(publish(state, staged), "published")
    staged.output.tidy(published.version_id)
    return published


def _same_content(state: Folder, staged: Publishable, current: Version) -> bool:
    if current.version_id == NULL_VERSION:
        return False  # the next write would replace it for good
    if current.provenance.get("schema-sha256") != staged.receipt.schema_sha256:
        return False  # text of other types, which may look the same
    digest = current.provenance.get("data-sha256")
    if digest is None and (receipt_id := current.provenance.get("receipt")):
        receipt = load_receipt(state, current.key, receipt_id)
        digest = receipt.data_sha256 if receipt else None
    return digest == staged.receipt.data_sha256 and staged.output.is_whole(current, staged.receipt)


def publish(state: Folder, staged: Publishable) -> str:
    """Publish and return the VersionId of this very write.

    Can be stopped until the request that publishes is sent; after that, its outcome counts.

    Raises Superseded when a later run was faster, StagingError when S3 loses the upload or when
    rows would be added to something else than `previous`; both leave what is current untouched.
    Raises BucketError when versioning was suspended meanwhile, so that S3 keeps no version.
    """
    receipt, target, stop = staged.receipt, staged.output.target, staged.stop
    save_receipt(state, receipt)
    refusals: list[NotApplied] = []
    while True:
        current = find_version(target.store, target.key)
        if current and current.provenance.get("receipt") == receipt.id:
            return target.store.require_version(current.version_id, target.key)
        _require_newest(receipt, current, target)
        _require_base(staged, current)
        _require_hope(refusals, target)
        condition = Holds(current.object.token) if current else Absent()
        staged.output.prepare(receipt)
        stop.begin_sending()
        try:
            written = staged.output.publish(condition)
        except NotApplied as refused:
            refusals.append(refused)
        except (StoreRefused, BucketError):  # where nothing answers, it may have published
            stop.end_sending()
            raise
        else:
            stop.end_sending()
            return written.version_id
        stop.end_sending()


def _require_newest(receipt: Receipt, current: Version | None, target: Target) -> None:
    """Raise Superseded when what is current was begun after this run."""
    if current is None or current.started_at is None or current.started_at <= receipt.started_at:
        return
    restored = current.restoration
    begun = f"({current.started_at:%Y-%m-%d %H:%M:%S} UTC)"
    raise Superseded(
        f"{target.uri} already holds version {current.version_id}, to which {restored.by} rolled "
        f"back after this run had started {begun}: it stays until the next run"
        if restored
        else f"{target.uri} already holds version {current.version_id} of run "
        f"{current.provenance.get('run-id')}, which started later {begun}: newer data stays"
    )


def _require_base(staged: Publishable, current: Version | None) -> None:
    """Raise StagingError when rows would be added to something else than what the run began with.

    By version: a token may be made of content.
    """
    began_with = staged.previous.version_id if staged.previous else None
    if staged.appends and began_with != (current.version_id if current else None):
        raise StagingError(
            f"another run has published {staged.output.target.uri} since this one began, and its "
            f"rows would be lost: run it again",
            transient=True,
        )


def _require_hope(refusals: Sequence[NotApplied], target: Target) -> None:
    """Raise StagingError when a further try would not be applied either."""
    if refusals and refusals[-1].upload_is_gone:
        raise StagingError(
            f"the upload of {target.uri} was aborted by somebody else: run it again",
            transient=True,
        )
    if len(refusals) == _TRIES:
        raise StagingError(
            f"S3 did not publish {target.uri}, which changed meanwhile, or is written by others "
            f"right now, {_TRIES} times ({refusals[-1]}): run it again",
            transient=True,
        )
