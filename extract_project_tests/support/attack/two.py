"""One extract at two destinations, one of which can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.history.reading import open_version
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import find_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.attempt import Done, attempt, staging
from extract_project.pipeline.everywhere import PartlyPublished
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project.store.folder import Folder
from extract_project.store.s3.store import S3Store
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, Request

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Two:
    """One extract at two destinations; requests to one of them go through the proxy."""

    site: Site
    others: Folder
    through: S3Client
    spoilt: str
    """The destination behind the proxy."""
    warehouse: DuckDBWarehouse = field(default_factory=lambda: DuckDBWarehouse(type="duckdb"))

    def place(self, name: str, extract: Extract) -> Place:
        folder = self.site.data if name == "data" else self.others
        is_spoilt = name == self.spoilt
        store = S3Store(self.through, folder.bucket) if is_spoilt else folder.store
        data = Folder.of(store, folder.prefix)
        state = self.site.state if name == "data" else self.site.state / f"destinations/{name}"
        return Place(name, Target.of(data, extract), state)

    def run(self, extract: Extract, run_id: str, *, full_refresh: bool = False) -> Done:
        return self.run_at(("data", "crm"), extract, run_id, full_refresh=full_refresh)

    def run_at(
        self,
        names: Sequence[str],
        extract: Extract,
        run_id: str = "run",
        *,
        full_refresh: bool = False,
    ) -> Done:
        """A run that publishes at these destinations."""
        return attempt(
            self.warehouse,
            extract,
            [self.place(name, extract) for name in names],
            Provenance(run_id, full_refresh=full_refresh),
            stop=Stop(extract.header.timeout),
        )

    def staging(self, extract: Extract, run_id: str) -> AbstractContextManager[Staged]:
        """A result that is staged at both."""
        return staging(
            self.warehouse,
            extract,
            [self.place(name, extract) for name in ("data", "crm")],
            Provenance(run_id),
            stop=Stop(extract.header.timeout),
        )

    def attempted(self, extract: Extract) -> PartlyPublished | None:
        """The outcome of a run in which one destination may have failed."""
        try:
            self.run(extract, "new")
        except PartlyPublished as error:
            return error
        return None

    def open_uploads(self, name: str) -> int:
        folder = self.site.data if name == "data" else self.others
        return len(list(folder.store.abandoned(folder.key(""))))

    def rows(self, name: str, extract: Extract) -> pa.Table:
        """The rows at a destination: a complete result, with its receipt."""
        plain = replace(self, spoilt="")
        place = plain.place(name, extract)
        version = find_version(place.target.store, place.target.key)
        assert version is not None
        receipt = receipt_of(place.state, version)
        assert receipt is not None
        rows = open_version(version).read_all()
        assert rows.num_rows == receipt.rows
        return rows

    def mark(self, name: str, extract: Extract) -> int:
        """The mark of the result at a destination."""
        (mark,) = pc.unique(self.rows(name, extract).column("mark")).to_pylist()
        return int(mark)

    def versions(self, name: str, extract: Extract) -> int:
        folder = self.site.data if name == "data" else self.others
        key = folder.key(extract.published_path())
        return sum(each.key == key for each in folder.store.history(key))


def header_of(text: str) -> str:
    """A header with two destinations."""
    if text.startswith("/*---"):
        return text.replace("/*---\n", "/*---\nto: [data, crm]\n", 1)
    return f"/*---\nto: [data, crm]\n---*/{text}"


def from_the(number: int, fault: Fault, bucket: str) -> Callable[[Request], Fault | None]:
    """Make this request to a bucket fail; if S3 refuses it, all later ones too."""
    seen = 0

    def choose(request: Request) -> Fault | None:
        nonlocal seen
        if request.bucket != bucket:
            return None
        seen += 1
        return fault if seen == number or (seen > number and not fault.is_applied) else None

    return choose
