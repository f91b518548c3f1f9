"""G9: memory does not grow with the result."""

from __future__ import annotations

from extract_project.publish.receipt import load_receipt
from extract_project.publish.versions import find_version
from extract_project_tests.conftest import Site
from extract_project_tests.publish.test_publishing import await_line, start_process

MIB = 1 << 20
SQL = """/*---
checks:
  - not_null: i
  - unique: i
---*/
select i, hash(i) as h, i::varchar as text, (i / 7)::decimal(18, 2) as d from range({rows}) t(i)
"""


def test_g9_ten_times_the_rows_take_the_same_memory(site: Site) -> None:
    """Also with an exact `unique` over every row; each size in a process of its own."""
    small, large = (peak_memory(site, rows) for rows in (2_000_000, 20_000_000))
    assert large < 512 * MIB
    assert large < small * 1.25


def peak_memory(site: Site, rows: int) -> int:
    """Bytes, as the process that made the version recorded them in its receipt."""
    site.put_sql("a/b", SQL.format(rows=rows))
    process = start_process(site, "a/b")
    await_line(process, "started")
    await_line(process, "staged")
    process.communicate("go\n")
    key = "extracts/a/b.parquet"
    version = find_version(site.s3, site.data.bucket, key)
    assert version is not None
    receipt = load_receipt(site.s3, site.state, key, version.provenance["receipt"])
    assert receipt is not None
    assert receipt.rows == rows
    return receipt.peak_memory
