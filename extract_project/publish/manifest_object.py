"""The manifest object of a result in parts: its one conditional write publishes all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extract_project.history.parts import Part, PartsManifest, Refresh, Watermark
from extract_project.history.receipt import Receipt
from extract_project.publish.target import Target
from extract_project.store.protocol import Condition, Written

_JSON = "application/json"


class ManifestObject:
    """The staged manifest of one result."""

    def __init__(self, target: Target) -> None:
        self._staged = target.store.stage(target.key, _JSON)

    @property
    def is_written(self) -> bool:
        return self._staged.size > 0

    def write(
        self,
        receipt: Receipt,
        parts: Sequence[Part],
        metadata: Mapping[str, str],
        *,
        watermark: Watermark | None = None,
        refresh: Refresh | None = None,
    ) -> None:
        """List the parts; `metadata` is that of the object, as far as a run knows it early."""
        manifest = PartsManifest(
            extract=receipt.extract,
            partition=receipt.partition,
            run_id=receipt.run_id,
            receipt=receipt.id,
            sql_key=receipt.sql_key,
            sql_version=receipt.sql_version,
            query_id=receipt.query_id,
            code_version=receipt.code_version,
            started_at=receipt.started_at,
            rows=receipt.rows,
            bytes=receipt.bytes,
            data_sha256=receipt.data_sha256,
            arrow_schema=receipt.arrow_schema,
            format_options=receipt.format_options,
            watermark=watermark,
            refresh=refresh,
            parts=tuple(parts),
        )
        self._staged.describe(metadata)
        self._staged.describe({"rows": str(receipt.rows), "data-sha256": receipt.data_sha256})
        self._staged.write(manifest.text.encode())
        self._staged.seal()

    def publish(self, condition: Condition) -> Written:
        return self._staged.publish(condition)

    def abort(self) -> None:
        self._staged.abort()
