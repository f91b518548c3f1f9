"""Warehouses that write files themselves, and what tests ask of what they have written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from extract_project.history.parts import run_receipt
from extract_project.history.reading import open_version
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.parsing import Dialects
from extract_project.pipeline.attempt import Done, attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project.store.destination import DATA
from extract_project_tests.conftest import Site
from extract_project_tests.support.redshift_server import RedshiftServer
from extract_project_tests.support.redshift_server.unload import ROLE
from extract_project_tests.support.rigs import redshift_warehouse, snowflake_warehouse
from extract_project_tests.support.snowflake_server import SnowflakeServer
from extract_project_tests.support.snowflake_server.unload import Unloading

COLUMNS = """
    n as id, case when n % 3 <> 0 then n * 1000000007 end as wide,
    (n / 7)::decimal(18, 4) as price, n / 3.0::double as share, n % 2 = 0 as even,
    case when n % 5 <> 0 then 'Grüße ' || n end as label, date '2026-01-01' + n::int as day,
    timestamp '2026-01-01 00:00:00.000001' + interval (n) minute as at,
    'x'::varchar as "Mixed case", repeat('ä', 55 + n::int) as long, [n, null] as items
"""
SERIES = f"select {COLUMNS} from range(1, {{}}) t(n)"
HEADER = "/*---\nengine: {}\n{}---*/\n"
CHECKS = (
    "checks:\n- min_rows: 1\n- unique: [id]\n- not_null: [id, at]\n- between: {price: [0, 1000]}\n"
    "- max_null_ratio: {label: 0.3}\n"
)


@dataclass(frozen=True)
class Publishing:
    """A site, and a warehouse that writes into its bucket."""

    site: Site

    @property
    def warehouse(self) -> Any:
        raise NotImplementedError

    def extract(self, text: str, path: str = "sales/orders") -> Extract:
        self.site.put_sql(path, text)
        dialects = Dialects({"own": self.warehouse.dialect}, "own")
        found = {each.path: each for each in read_manifest(self.site.manifest, dialects).extracts}
        return found[path]

    def publish(
        self,
        extract: Extract,
        stop: Stop | None = None,
        partition: Partition | None = None,
        **fields: Any,
    ) -> Done:
        warehouse = self.warehouse.model_copy(update=fields)
        target = Target.of(self.site.data, extract, partition.key if partition else None)
        place = Place(DATA, target, self.site.state)
        stop = stop or Stop(extract.header.timeout)
        return attempt(
            warehouse, extract, [place], Provenance("run", partition=partition), stop=stop
        )

    def current(self, extract: Extract) -> Version:
        version = find_version(self.site.data.store, self.site.target(extract).key)
        assert version is not None
        return version

    def receipt(self, extract: Extract) -> Receipt:
        receipt = receipt_of(self.site.state, self.current(extract))
        assert receipt is not None
        return receipt

    def rows(self, extract: Extract) -> pa.Table:
        reader = open_version(self.current(extract))
        return pa.Table.from_batches(reader, reader.schema).sort_by(reader.schema.names[0])

    def put(self, key: str, body: bytes) -> None:
        """Write an object that no run of ours has written."""
        self.site.s3.put_object(Bucket=self.site.data.bucket, Key=key, Body=body)

    def lying(self) -> list[str]:
        """The current objects of runs."""
        listed = self.site.data.store.list(self.site.data.key("_parts/"))
        return [each.key for each in listed if run_receipt(each.key)]


@dataclass(frozen=True)
class Rig(Publishing):
    """The same with Snowflake."""

    server: SnowflakeServer

    @property
    def warehouse(self) -> Any:
        integration = {"storage_integration": "extracts"}
        return snowflake_warehouse(self.server).model_copy(update=integration)

    @property
    def unloading(self) -> Unloading:
        return self.server.service.engine.unloading


@dataclass(frozen=True)
class RedshiftRig(Publishing):
    """The same with Redshift."""

    server: RedshiftServer

    @property
    def warehouse(self) -> Any:
        return redshift_warehouse(self.server, unload_role=ROLE)
