"""The baseline of a result: the current version, and the metrics of older ones.

The current version is looked up when the run begins, because publishing depends on it. The rest is
read on first use. Each receipt carries the metrics of the versions before it, so ten of them cost
one small request.
"""

from __future__ import annotations

from functools import cache

from extract_project.checks.anomalies import VERSIONS
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.metrics import Metrics
from extract_project.publish.target import Target
from extract_project.store.folder import Folder


class PublishedBaseline:
    """The baseline for one key: its own versions, and those of the partition before it."""

    def __init__(
        self,
        state: Folder,
        extract: Extract,
        target: Target,
        partition: Partition | None,
        *,
        version: Version | None,
        full_refresh: bool = False,
    ) -> None:
        self.state, self._extract, self._target = state, extract, target
        self._partition, self._full_refresh = partition, full_refresh
        self.version = version
        """The version that was current when the run began."""
        # What S3 has to be asked for is asked once, and only if it is wanted. It is no
        # cached_property: up to Python 3.11 all instances of one share a lock, and a run whose S3
        # is silent would hold up every other run of its process.
        self._receipt = cache(lambda: self._load(self.version))
        self._neighbour = cache(self._find_neighbour)
        self._comparable = cache(self._find_comparable)

    def look(self) -> None:
        """Read the destination now, so that its error is not mistaken for that of a later step."""
        self._neighbour()

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of that version."""
        return self._receipt()

    @property
    def neighbour(self) -> Version | None:
        """The current version of the time window before; None if partitions are not time
        windows."""
        return self._neighbour()

    @property
    def comparable(self) -> tuple[Metrics, ...]:
        """Metrics of versions made by the same SQL: of this key, or of the time windows before it.

        Increments are compared with earlier increments, not with full results.
        """
        return self._comparable()

    @property
    def readers_have(self) -> Version | None:
        """The version whose columns a result should keep. Readers read all time windows as one
        table."""
        return self.version or self.neighbour

    @property
    def rows(self) -> int | None:
        return self.receipt.rows if self.receipt else None

    @property
    def kind(self) -> str:
        return "partitions" if self._in_windows else "versions"

    def followed_by(self, metrics: Metrics) -> tuple[Metrics, ...]:
        """The baseline of the next result, once this one is published."""
        return (*self.comparable, metrics)[-VERSIONS:]

    @property
    def _in_windows(self) -> bool:
        return self._partition is not None and self._partition.start is not None

    def _find_neighbour(self) -> Version | None:
        partition = self._partition
        if partition is None or partition.before is None:
            return None
        path = self._extract.published_path
        prefix = self._target.key.removesuffix(path(partition.key))
        return find_version(self._target.store, prefix + path(partition.before))

    def _find_comparable(self) -> tuple[Metrics, ...]:
        before = self._load(self.neighbour) if self._in_windows else self.receipt
        if before is None or before.code_version != self._extract.code_version:
            return ()
        if self._extract.header.incremental and (self._full_refresh or before.rows_added is None):
            return ()
        return before.recent or (before.metrics,)

    def _load(self, version: Version | None) -> Receipt | None:
        return receipt_of(self.state, version) if version else None
