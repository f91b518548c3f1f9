"""Every kind of store that there is, by the scheme of its locations.

A new one is one new module or package here, with what satisfies `protocol.Buckets` and
`protocol.Store`, and its line in `SCHEMES`.
"""

from __future__ import annotations

from extract_project.store.protocol import Buckets
from extract_project.store.s3.buckets import S3Buckets

SCHEMES: dict[str, type[Buckets]] = {
    "s3": S3Buckets,
}
