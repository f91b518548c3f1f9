"""Making a staged result the current version of its key: one conditional request.

The condition is what the key held when the run began. When it no longer holds, three things can
have happened, and the object's own metadata tells which: our own write went through although its
reply was lost; a run that started later has published, and its data stays (G4); or a run that
started earlier has, and we try again on top of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extract_project.errors import StagingError, Superseded
from extract_project.manifest.header import Header
from extract_project.publish.receipt import Receipt, load_receipt, save_receipt
from extract_project.publish.staging import Staged
from extract_project.publish.upload import NotApplied, Target
from extract_project.publish.versions import Version, find_version
from extract_project.s3 import Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES = 5


@dataclass(frozen=True)
class Published:
    """What a staged result became."""

    version_id: str
    outcome: Literal["published", "unchanged", "kept"]
    """`unchanged`: the current version has this very content. `kept`: the result was empty, and
    the header keeps the current version then. In both cases `version_id` was there before."""


def settle(s3: S3Client, state: Location, staged: Staged, header: Header) -> Published:
    """Publish a staged result, unless the header says that what is current should stay.

    Raises as `publish` does.
    """
    previous = staged.previous
    if previous and not staged.receipt.rows and header.on_empty == "keep":
        return Published(previous.version_id, "kept")
    if previous and header.unchanged == "skip" and _same_content(s3, state, staged, previous):
        published = Published(previous.version_id, "unchanged")
    else:
        published = Published(publish(s3, state, staged), "published")
    staged.output.tidy(published.version_id)
    return published


def _same_content(s3: S3Client, state: Location, staged: Staged, previous: Version) -> bool:
    if previous.provenance.get("schema-sha256") != staged.receipt.schema_sha256:
        return False  # text of other types, which may look the same
    digest = previous.provenance.get("data-sha256")
    if digest is None and (receipt_id := previous.provenance.get("receipt")):
        receipt = load_receipt(s3, state, previous.key, receipt_id)
        digest = receipt.data_sha256 if receipt else None
    return digest == staged.receipt.data_sha256 and staged.output.is_whole(previous)


def publish(s3: S3Client, state: Location, staged: Staged) -> str:
    """Publish and return the VersionId of this very write.

    Raises Superseded when a later run was faster, StagingError when S3 loses the upload or when
    rows would be added to something else than `previous`; all leave what is current untouched.
    """
    receipt, previous, target = staged.receipt, staged.previous, staged.output.target
    save_receipt(s3, state, receipt)
    # An ETag is made of content: the key may have been rolled back to what it held when the run
    # began, and the condition would hold.
    _require_newest(receipt, find_version(s3, target.bucket, target.key), target)
    for _ in range(_TRIES):
        condition = {"IfMatch": f'"{previous.etag}"'} if previous else {"IfNoneMatch": "*"}
        try:
            return staged.output.publish(receipt, condition).version_id
        except NotApplied as refused:
            previous = find_version(s3, target.bucket, target.key)
            if previous and previous.provenance.get("receipt") == receipt.id:
                return previous.version_id
            if refused.upload_is_gone:
                raise StagingError(
                    f"the upload of {target.uri} was aborted by somebody else: run it again",
                    transient=True,
                ) from refused
            if staged.appends:
                raise StagingError(
                    f"another run has published {target.uri} since this one began, and its rows "
                    f"would be lost: run it again",
                    transient=True,
                ) from refused
            _require_newest(receipt, previous, target)
    raise StagingError(
        f"{target.uri} changed {_TRIES} times while it was being published: run it again",
        transient=True,
    )


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
