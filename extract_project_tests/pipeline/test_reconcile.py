"""What a warehouse says that it has written is compared with what is there."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from extract_project.errors import StagingError, TypeMappingError
from extract_project.history.versions import find_version
from extract_project_tests.support.snowflake_server.unload import File
from extract_project_tests.support.unloads import HEADER, SERIES, Rig

Lie = Callable[[Rig, str, str, list[File]], Sequence[File]]


def _lost(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    rig.site.s3.delete_object(Bucket=bucket, Key=folder + files[0][0])
    return files


def _foreign(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    rig.put(f"{folder}data_of_a_first_attempt.parquet", b"x")
    return files


def _untold(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    return files[1:]


def _twice(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    return [*files, files[0]]


def _again(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    key = folder + files[0][0]
    rig.put(key, rig.site.body(key))
    return files


def _other_size(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    name, size, rows = files[0]
    return [(name, size + 1, rows), *files[1:]]


def _other_rows(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    name, size, rows = files[0]
    return [(name, size, rows - 1), *files[1:]]


def _cut(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    """A whole file of fewer rows, which the warehouse has counted too."""
    name, _, _ = files[0]
    rows = pq.read_table(io.BytesIO(rig.site.body(folder + name))).slice(1)
    body = io.BytesIO()
    pq.write_table(rows, body, store_schema=False)
    other = f"{name}2"
    rig.put(folder + other, body.getvalue())
    rig.site.s3.delete_object(Bucket=bucket, Key=folder + name)
    version = rig.site.s3.list_object_versions(Bucket=bucket, Prefix=folder + name)
    for each in (*version["Versions"], *version["DeleteMarkers"]):
        if each["Key"] == folder + name:
            rig.site.s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    return [(other, len(body.getvalue()), rows.num_rows), *files[1:]]


def _broken(rig: Rig, bucket: str, folder: str, files: list[File]) -> list[File]:
    name, _, rows = files[0]
    body = b"no parquet at all"
    new = f"{name}2"
    rig.put(folder + new, body)
    return [*files, (new, len(body), rows)]


def changing(
    name: str, change: Callable[[pa.ChunkedArray], pa.Array]
) -> Callable[[pa.Table], pa.Table]:
    """Rows in whose place a warehouse writes others, which differ in one column."""

    def changed(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.schema.get_field_index(name), name, change(rows.column(name)))

    return changed


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (_lost, "it was written more than once, or deleted"),
        (_foreign, "not listed by the warehouse: data_of_a_first_attempt.parquet"),
        (_untold, "has written 2 files, and there are 3"),
        (_twice, "has written 4 files, and there are 3"),
        (_again, "it was written more than once, or deleted"),
        (_other_size, "bytes, the listing"),
        (_other_rows, "the warehouse says 99 rows, its footer 100"),
        (_cut, "the files have 249 rows, and the result has 250"),
        (_broken, "it is not a whole Parquet file"),
    ],
)
def test_g1_what_the_witnesses_disagree_on_is_not_published(rig: Rig, lie: Lie, told: str) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.unloading.listed = lambda bucket, folder, files: (
        files if folder.endswith("-attempt/") else lie(rig, bucket, folder, files)
    )
    with pytest.raises(StagingError, match=told) as raised:
        rig.publish(extract)
    assert raised.value.transient
    assert find_version(rig.site.data.store, rig.site.target(extract).key) is None
    assert rig.lying() == []


def test_g1_files_with_other_nulls_than_the_result_are_refused(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.unloading.typed = changing("LABEL", lambda column: pa.nulls(len(column), column.type))
    with pytest.raises(StagingError, match="have 250 NULLs in 'LABEL', and the result has 50"):
        rig.publish(extract)
    assert rig.lying() == []


def test_g5_files_whose_values_are_others_than_those_of_the_result_are_refused(rig: Rig) -> None:
    """Of the right type, and an hour late: as if written in another zone."""
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    hour = pa.scalar(3_600_000_000, pa.duration("us"))
    rig.unloading.typed = changing("AT", lambda column: pc.add(column, hour))
    with pytest.raises(StagingError, match="the values of 'AT' in the files are 2026-01-01 01:01"):
        rig.publish(extract)
    assert rig.lying() == []


def test_files_may_differ_in_what_they_say_of_nulls(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    numbers = iter(range(10))

    def required(rows: pa.Table) -> pa.Table:
        field = rows.schema.field(0).with_nullable(next(numbers) % 2 == 0)
        return rows.cast(rows.schema.set(0, field))

    rig.unloading.typed = required
    rig.publish(extract)
    assert rig.rows(extract).num_rows == 250


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (pa.timestamp("ms"), "AT", "'AT' is timestamp"),
        (pa.timestamp("us", "UTC"), "AT", "'AT' is timestamptz, not timestamp"),
        (pa.int32(), "ID", "'ID' is int32, not int64"),
        (pa.decimal128(38, 4), "PRICE", r"'PRICE' is decimal\(38,4\), not decimal\(18,4\)"),
        (pa.float32(), "SHARE", "'SHARE' is float32, not float64"),
    ],
)
def test_g5_a_file_of_other_types_is_refused(
    rig: Rig, kind: pa.DataType, name: str, told: str
) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.unloading.typed = changing(name, lambda column: column.cast(kind, safe=False))
    with pytest.raises(TypeMappingError, match=told) as raised:
        rig.publish(extract)
    assert "write 'engine: stream'" in str(raised.value)
    assert rig.lying() == []
    assert not any("range(" in each.sql for each in rig.server.service.queries), "the query ran"
