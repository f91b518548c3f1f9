"""Make a staged result the current version of its key, with one conditional request.

The condition is that the key still holds the version just looked at, made by a run that did not
start later (G4). If it fails, there are three possible reasons, and the object's metadata tells
which: our own write succeeded but its reply was lost; a run that started later has published, and
its data stays; or a run that started earlier has published, and we try again on top of it. An
incremental extract adds rows only to the version that was current when the run began.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    """A complete, uploaded and audited result that is not visible yet."""

    output: Output
    receipt: Receipt
    previous: Version | None
    """The version that was current when the run began."""
    stop: Stop
    """Whether it may still be published."""
    appends: bool
    """Whether it consists of the rows of `previous` and new ones, so that it can only replace
    `previous`."""


@dataclass(frozen=True)
class Published:
    """The outcome of publishing a staged result."""

    version_id: str
    outcome: Literal["published", "unchanged", "kept"]
    """`unchanged`: the current version has the same content. `kept`: the result was empty, and the
    header says to keep the current version. In both cases `version_id` is an existing version."""


def settle(state: Folder, staged: Publishable, header: Header) -> Published:
    """Publish a staged result, unless the header says to keep the current version.

    Raises as `publish` does.
    """
    target = staged.output.target
    staged.stop.at(Stage.PUBLISHING)
    # Look again: an earlier run may have published meanwhile, or the version may be deleted.
    current = find_version(target.store, target.key)
    if current and not staged.receipt.rows and header.on_empty == "keep":
        return Published(current.version_id, "kept")
    if current and header.unchanged == "skip" and _same_content(state, staged, current):
        published = Published(current.version_id, "unchanged")
    else:
        published = Published(publish(state, staged), "published")
    staged.output.tidy(published.version_id)
    return published


def has_content(state: Folder, staged: Publishable) -> bool:
    """Whether the current version has the content of a staged result already."""
    current = find_version(staged.output.target.store, staged.output.target.key)
    return current is not None and _same_content(state, staged, current)


def _same_content(state: Folder, staged: Publishable, current: Version) -> bool:
    if current.version_id == NULL_VERSION:
        return False  # not a kept version: the next write would replace it for good
    if current.provenance.get("schema-sha256") != staged.receipt.schema_sha256:
        return False  # other types, which may look the same as text
    options = current.provenance.get("format-options")
    if (json.loads(options) if options else None) != staged.receipt.format_options:
        return False  # another dialect, in which the same text may be other values
    digest = current.provenance.get("data-sha256")
    if digest is None and (receipt_id := current.provenance.get("receipt")):
        receipt = load_receipt(state, current.key, receipt_id)
        digest = receipt.data_sha256 if receipt else None
    return digest == staged.receipt.data_sha256 and staged.output.is_whole(current, staged.receipt)


def publish(state: Folder, staged: Publishable) -> str:
    """Publish, and return the VersionId of this write.

    Can be stopped until the publishing request is sent; after that, its outcome counts.

    Raises Superseded if a later run has published, StagingError if S3 has lost the upload or rows
    would be added to another version than `previous`; both leave the current version untouched.
    Raises BucketError if versioning has been suspended, so that S3 keeps no version.
    """
    receipt, target, stop = staged.receipt, staged.output.target, staged.stop
    save_receipt(state, receipt)
    refusals: list[NotApplied] = []
    while True:
        current = find_version(target.store, target.key)
        if current and current.provenance.get("receipt") == receipt.id:
            return target.store.require_version(current.version_id, target.key)
        require_newest(receipt.started_at, current, target)
        _require_base(staged, current)
        _require_hope(refusals, target)
        condition = Holds(current.object.token) if current else Absent()
        staged.output.prepare(receipt)
        stop.begin_sending()
        try:
            written = staged.output.publish(condition)
        except NotApplied as refused:
            refusals.append(refused)
        except (StoreRefused, BucketError):  # without an answer, it may have published
            stop.end_sending()
            raise
        else:
            stop.end_sending()
            return written.version_id
        stop.end_sending()


def require_newest(started_at: datetime, current: Version | None, target: Target) -> None:
    """Raise Superseded if the run of the current version started after this one."""
    if current is None or current.started_at is None or current.started_at <= started_at:
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
    """Raise StagingError if rows would be added to another version than the run began with.

    Compares version ids, since a token may depend only on content.
    """
    began_with = staged.previous.version_id if staged.previous else None
    if staged.appends and began_with != (current.version_id if current else None):
        raise StagingError(
            f"another run has published {staged.output.target.uri} since this one began, so its "
            f"rows would be lost: run it again",
            transient=True,
        )


def _require_hope(refusals: Sequence[NotApplied], target: Target) -> None:
    """Raise StagingError if another try is pointless."""
    if refusals and refusals[-1].upload_is_gone:
        raise StagingError(
            f"the upload of {target.uri} was aborted, but not by this run: run it again",
            transient=True,
        )
    if len(refusals) == _TRIES:
        raise StagingError(
            f"publishing {target.uri} lost {_TRIES} races against other writers "
            f"({refusals[-1]}): run it again",
            transient=True,
        )
