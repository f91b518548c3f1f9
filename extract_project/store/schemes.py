"""The registry of stores, by the scheme of their locations.

A new one is one new module or package here, with what satisfies `protocol.Buckets` and
`protocol.Store`, and its line in `SCHEMES`.
"""

from __future__ import annotations

from extract_project.store.protocol import Buckets
from extract_project.store.s3.buckets import S3Buckets

SCHEMES: dict[str, type[Buckets]] = {
    "s3": S3Buckets,
}
