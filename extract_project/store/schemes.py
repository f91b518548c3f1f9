"""The registry of stores, by the scheme of their locations.

To add a store: write one module or package here that implements `protocol.Buckets` and
`protocol.Store`, and add a line to `SCHEMES`.
"""

from __future__ import annotations

from extract_project.store.protocol import Buckets
from extract_project.store.s3.buckets import S3Buckets

SCHEMES: dict[str, type[Buckets]] = {
    "s3": S3Buckets,
}
