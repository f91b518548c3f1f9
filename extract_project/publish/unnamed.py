"""Part objects that no published manifest names: what a run left that did not publish."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from extract_project.history.parts import current_versions, list_parts, load_manifest
from extract_project.history.versions import Version, find_version
from extract_project.publish.upload import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def hide_unnamed(s3: S3Client, target: Target, version_id: str) -> None:
    """Delete markers for part keys that a published manifest does not name, while it is current.

    Only for what was written by runs that started before the one that made the manifest: those
    cannot be published any more (G4), whereas a later one may have completed its parts and be
    about to. What fails here is found again by the next run.
    """
    try:
        for orphan in _orphans(s3, target, version_id):
            chosen: Any = {"IfMatch": f'"{orphan.etag}"'}
            s3.delete_object(Bucket=orphan.bucket, Key=orphan.key, **chosen)
    except (BotoCoreError, ClientError) as error:
        logging.getLogger(__name__).warning(
            "parts beside %s that it does not name were left there: %s", target.uri, error
        )


def _orphans(s3: S3Client, target: Target, version_id: str) -> Iterator[Version]:
    """Current part versions that the manifest does not name and never will; none when it is no
    longer the current one.
    """
    lying = set(list_parts(s3, target.bucket, target.key))
    current = find_version(s3, target.bucket, target.key)
    if current is None or current.version_id != version_id:
        return
    manifest = load_manifest(s3, current)
    unnamed = sorted(lying - {part.key for part in manifest.parts})
    for found in current_versions(s3, target.bucket, unnamed):
        if found and found.started_at and found.started_at < manifest.started_at:
            yield found
