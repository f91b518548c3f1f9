"""Making a staged result the current version of its key: one conditional request.

The condition is what the key held when the run began. When it no longer holds, three things can
have happened, and the object's own metadata tells which: our own write went through although its
reply was lost; a run that started later has published, and its data stays (G4); or a run that
started earlier has, and we try again on top of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.errors import StagingError, Superseded
from extract_project.publish.receipt import Receipt, save_receipt
from extract_project.publish.upload import Upload
from extract_project.publish.versions import Version, find_version
from extract_project.s3 import Location, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES = 5


def publish(
    s3: S3Client, state: Location, upload: Upload, receipt: Receipt, previous: Version | None
) -> str:
    """Publish and return the VersionId of this very write.

    `previous` is the version that was current when the run began. Raises Superseded when a later
    run was faster, StagingError when S3 loses the upload; both leave what is current untouched.
    """
    save_receipt(s3, state, receipt)
    if not upload.is_multipart:
        upload.describe({"rows": str(receipt.rows), "data-sha256": receipt.data_sha256})
    target = upload.target
    for _ in range(_TRIES):
        condition = {"IfMatch": f'"{previous.etag}"'} if previous else {"IfNoneMatch": "*"}
        try:
            return upload.publish(condition).version_id
        except s3.exceptions.ClientError as error:
            code = error_code(error)
            if code not in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload"):
                raise
            previous = find_version(s3, target.bucket, target.key)
            if previous and previous.provenance.get("receipt") == receipt.id:
                return previous.version_id
            if code == "NoSuchUpload":
                raise StagingError(
                    f"the upload of {target.uri} was aborted by somebody else: run it again",
                    transient=True,
                ) from error
            if previous and previous.started_at and previous.started_at > receipt.started_at:
                raise Superseded(
                    f"{target.uri} already holds version {previous.version_id} of run "
                    f"{previous.provenance.get('run-id')}, which started later "
                    f"({previous.started_at:%Y-%m-%d %H:%M:%S} UTC): newer data stays"
                ) from error
    raise StagingError(
        f"{target.uri} changed {_TRIES} times while it was being published: run it again",
        transient=True,
    )
