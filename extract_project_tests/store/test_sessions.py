"""Times in replies of AWS, read fast and as the SDK reads them."""

from __future__ import annotations

import pytest
from botocore.utils import parse_timestamp

from extract_project.store.s3.client import connect
from extract_project.store.s3.sessions import parse_time
from extract_project_tests.conftest import Site


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-30T06:00:00Z",
        "2026-11-30T06:00:00.123Z",
        "2026-11-30T06:00:00.123456Z",
        "2026-11-30T06:00:00+02:00",
        "20261130T060000Z",
        "Mon, 30 Nov 2026 06:00:00 GMT",
        "Monday, 30-Nov-26 06:00:00 Z",
        "1796018400",
        1796018400,
        1796018400.5,
    ],
)
def test_a_time_is_read_as_the_sdk_reads_it(written: str | float) -> None:
    expected = parse_timestamp(written)  # type: ignore[arg-type]  # a number, in JSON
    read = parse_time(written)
    assert read == expected
    assert read.utcoffset() == expected.utcoffset()


def test_what_is_no_time_is_refused_as_the_sdk_refuses_it() -> None:
    with pytest.raises(ValueError, match='Invalid timestamp "soonZ"'):
        parse_time("soonZ")


def test_a_listing_and_a_read_give_the_same_time(site: Site) -> None:
    s3, bucket = connect(), site.data.bucket
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")
    (listed,) = s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]
    read = s3.get_object(Bucket=bucket, Key="a/b")["LastModified"]
    assert listed["LastModified"].replace(microsecond=0) == read
