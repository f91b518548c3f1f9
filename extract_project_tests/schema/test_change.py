"""How two schemas differ, in words, and whether readers can go on."""

from __future__ import annotations

import pyarrow as pa
import pytest

from extract_project.schema.change import compare_schemas
from extract_project.schema.spelling import parse_type


def schema(text: str) -> pa.Schema:
    """`a int32, b text` as a schema."""
    struct = parse_type(f"struct<{text}>").arrow()
    return pa.schema(list(struct.fields))


@pytest.mark.parametrize(
    ("before", "after", "lines", "breaking_csv"),
    [
        ("a int32, b text", "a int32, b text", [], False),
        ("a int32", "a int32, b text", ["widening: 'b', text, is new, after 'a'"], False),
        (
            "a int32, c text",
            "a int32, b date, c text",
            ["widening: 'b', date, is new, after 'a'"],
            True,
        ),
        ("a int32", "b text, a int32", ["widening: 'b', text, is new, at the front"], True),
        ("a int32, b text, c date", "a int32, c date", ["breaking: 'b', text, is gone"], True),
        (
            "a int32, b text, c date",
            "a int32, x text, c date",
            ["breaking: 'x' replaces 'b'"],
            True,
        ),
        (
            "a int32, b text",
            "A int64, b text",
            ["breaking: 'A' replaces 'a'", "widening: 'A' is int64; it was int32"],
            True,
        ),
        (
            "a int32, b text, c date",
            "a int32, d timestamptz, c date",
            ["breaking: 'b', text, is gone", "widening: 'd', timestamptz, is new, after 'a'"],
            True,
        ),
        (
            "a date, b text, c bool, d bool",
            "a date, c bool, d bool, b text",
            ["widening: 'b' is column 4; it was column 2"],
            True,
        ),
        ("a int32", "a int64", ["widening: 'a' is int64; it was int32"], False),
        ("a int64", "a int32", ["breaking: 'a' is int32; it was int64"], True),
        (
            "a decimal(10,2)",
            "a decimal(12,2)",
            ["widening: 'a' is decimal(12,2); it was decimal(10,2)"],
            False,
        ),
        (
            "a decimal(10,2)",
            "a decimal(10,3)",
            ["breaking: 'a' is decimal(10,3); it was decimal(10,2)"],
            True,
        ),
        (
            "a decimal(38,0)",
            "a decimal(39,0)",
            ["breaking: 'a' is decimal(39,0); it was decimal(38,0)"],
            True,
        ),
        ("a int64", "a decimal(19,0)", ["breaking: 'a' is decimal(19,0); it was int64"], True),
        ("a timestamp", "a timestamptz", ["breaking: 'a' is timestamptz; it was timestamp"], True),
        (
            "a decimal(38,0)",
            "a int64",
            [
                "breaking: 'a' is int64; it was decimal(38,0); 'integers: decimal' in the header "
                "restores the old type"
            ],
            True,
        ),
        (
            "a struct<b timestamptz(9), c list<decimal(38,0)>, d time(9)>",
            "a struct<b timestamptz, c list<int64>, d time>",
            [
                "breaking: 'a' is struct<b timestamptz, c list<int64>, d time>; it was struct<b "
                "timestamptz(9), c list<decimal(38,0)>, d time(9)>; 'integers: decimal' and "
                "'timestamps: ns' in the header restore the old type"
            ],
            True,
        ),
        (
            "a list<int32>",
            "a list<int64>",
            ["breaking: 'a' is list<int64>; it was list<int32>"],
            True,
        ),
    ],
)
def test_each_difference(before: str, after: str, lines: list[str], breaking_csv: bool) -> None:
    by_name = compare_schemas(schema(before), schema(after))
    assert by_name.lines() == lines
    assert by_name.breaking == any(line.startswith("breaking") for line in lines)
    assert compare_schemas(schema(before), schema(after), by_position=True).breaking == breaking_csv
