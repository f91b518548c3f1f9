"""What programs read extracts with: exact types in every format, and nothing of Dagster."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project.errors import NotPublished
from extract_project.published import history, open_published
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize
from extract_project_tests.support.waiting import await_next_second

QUERY = """/*---
format: {}
timestamps: ns
---*/
select {}::decimal(30, 10) as d,
    timestamp_ns '2026-01-01 00:00:00.000000001' as t,
    null::bigint as i
"""
SCHEMA = pa.schema([("d", pa.decimal128(30, 10)), ("t", pa.timestamp("ns")), ("i", pa.int64())])


@pytest.mark.parametrize("name", ["parquet", "arrow", "csv", "jsonl"])
def test_the_current_version_in_exact_types(site: Site, name: str) -> None:
    materialize(site, site.extract("a/b", QUERY.format(name, "0.0000000001")))
    table = open_published(site.data.uri, "a/b").read_all()
    assert table.schema.equals(SCHEMA)
    assert [str(value) for value in table["d"]] == ["1E-10"]
    assert table["t"].cast(pa.int64()).to_pylist()[0] % 1000 == 1


def test_older_versions_and_their_history(site: Site) -> None:
    first = materialize(site, site.extract("a/b", QUERY.format("csv", 1))).version_id
    moment = await_next_second()
    materialize(site, site.extract("a/b", QUERY.format("csv", 2)))
    by_version = open_published(site.data.uri, "a/b", version=first)
    by_time = open_published(site.data.uri, "a/b", as_of=moment)
    assert by_version.read_all() == by_time.read_all()
    newer, older = history(site.data.uri, "a/b")
    assert older.listed.version_id == first
    assert newer.change.sql
    assert len(history(site.data.uri, "a/b", limit=1)) == 1
    with pytest.raises(NotPublished, match="had no version yet"):
        open_published(site.data.uri, "a/b", as_of=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(NotPublished, match="had no version yet"):
        open_published(site.data.uri, "a/b", as_of="1h")


def test_a_partition(site: Site) -> None:
    file = io.BytesIO()  # an object of another program: Parquet needs no receipt
    pq.write_table(pa.table({"n": [1]}), file)
    site.s3.put_object(
        Bucket=site.data.bucket,
        Key=site.data.key("a/b/partition=2026-01-01/b.parquet"),
        Body=file.getvalue(),
    )
    reader = open_published(site.data.uri, "a/b", partition="2026-01-01")
    assert reader.read_all()["n"].to_pylist() == [1]
    with pytest.raises(NotPublished, match="partition=2026-01-02 has never been published"):
        open_published(site.data.uri, "a/b", partition="2026-01-02")


def test_it_needs_neither_dagster_nor_pandas(site: Site) -> None:
    materialize(site, site.extract("a/b", QUERY.format("jsonl", 1)))
    program = f"""
import sys
from extract_project.published import history, open_published

class NoPandas:  # which Arrow looks for by itself
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)

assert "pandas" not in sys.modules
sys.meta_path.insert(0, NoPandas())
assert open_published({site.data.uri!r}, "a/b").read_all().num_rows == 1
assert len(history({site.data.uri!r}, "a/b")) == 1
heavy = {{"dagster", "dagster_graphql", "polars", "duckdb", "sqlglot", "snowflake", "click"}}
print(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
