"""What an upload takes beside the bytes that it is given (G9)."""

from __future__ import annotations

import hashlib
import tracemalloc

from extract_project.store.s3.upload import S3Upload
from extract_project_tests.conftest import Site

MIB = 1 << 20


def test_g9_a_long_value_is_sent_part_by_part(site: Site) -> None:
    """Two parts of 8 MiB on their way and one being filled, whatever is written at once."""
    value = memoryview(b"0123456789abcdef" * (4 * MIB))
    upload = S3Upload(site.s3, site.data.bucket, "long", "text/plain", hold_nothing=True)
    tracemalloc.start()
    try:
        upload.write(b"before ")
        upload.write(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    upload.seal()
    version = upload.publish(None)
    assert peak < 48 * MIB
    body = site.s3.get_object(Bucket=site.data.bucket, Key="long", VersionId=version.version_id)[
        "Body"
    ].read()
    assert hashlib.sha256(body).hexdigest() == upload.sha256
    assert body == b"before " + value.tobytes()
