"""What programs read extracts with: exact types in every format, and nothing of Dagster."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from extract_project.errors import NotPublished
from extract_project.published import history, open_published, wait_for
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize
from extract_project_tests.support.waiting import await_next_second

ROOT = Path(__file__).parent.parent
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


def test_waiting_ends_with_the_next_version(site: Site) -> None:
    first = materialize(site, site.extract("a/b", "select 1 as a")).version_id
    extract = site.extract("a/b", "select 2 as a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for, site.data.uri, "a/b", newer_than=first, every="1s")
        second = materialize(site, extract).version_id
        entry = waiting.result()
    assert entry.listed.version_id == second
    assert entry.receipt
    assert open_published(site.data.uri, "a/b", version=second).read_all()["a"].to_pylist() == [2]


def test_waiting_for_a_first_version_or_for_one_after_a_time(site: Site) -> None:
    extract = site.extract("a/b", "select 1 as a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for, site.data.uri, "a/b", every="1s")
        only = materialize(site, extract).version_id
        assert waiting.result().listed.version_id == only
    assert wait_for(site.data.uri, "a/b", newer_than="1h").listed.version_id == only


@pytest.mark.parametrize("newer_than", ["that version", "a time"])
def test_waiting_ends_in_time(site: Site, newer_than: str) -> None:
    only = materialize(site, site.extract("a/b", "select 1 as a")).version_id
    than = only if newer_than == "that version" else datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(TimeoutError, match=r"a/b in s3://data-.* had no version newer than"):
        wait_for(site.data.uri, "a/b", newer_than=than, timeout="0s")


def test_the_reader_alone_needs_only_what_it_names(site: Site, tmp_path: Path) -> None:
    """What `published/pyproject.toml` ships, and nothing but what it depends on."""
    materialize(site, site.extract("a/b", QUERY.format("csv", "1")))
    site.put_sql("a/parts", "/*---\nsplit: {rows: 1}\n---*/\nselect i from range(2) t(i)")
    materialize(site, {each.path: each for each in site.snapshot().extracts}["a/parts"])
    project = tomllib.loads((ROOT / "published/pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for named, path in shipped.items():
        source, place = ROOT / "published" / named, tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
    names = [Requirement(each).name for each in project["project"]["dependencies"]]
    for file in _files_of(names):
        (tmp_path / file.name).symlink_to(file)
    program = (
        "from extract_project.published import history, open_published, wait_for\n"
        f"data = {site.data.uri!r}\n"
        "print(open_published(data, 'a/b').read_all().num_rows)\n"
        "print(open_published(data, 'a/parts').read_all().num_rows)\n"
        "print(len(history(data, 'a/b')), wait_for(data, 'a/b').receipt.rows)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,  # Python looks there first, and the whole project is not there
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stderr == ""
    assert done.stdout == "1\n2\n1 1\n"


def _files_of(names: list[str]) -> set[Path]:
    """The top-level files of some distributions and of all that they require."""
    found, wanted = dict[str, set[Path]](), [canonicalize_name(name) for name in names]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        installed = metadata.distribution(name)
        files = {Path(str(file)).parts[0] for file in installed.files or ()}
        found[name] = {Path(str(installed.locate_file(file))) for file in files if file != ".."}
        required = (Requirement(each) for each in installed.requires or ())
        wanted += [
            canonicalize_name(each.name)
            for each in required
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    return {file for files in found.values() for file in files if file.exists()}
