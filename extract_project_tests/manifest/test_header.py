"""The header: what it accepts, and how it refuses."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from extract_project.manifest.extract import Extract
from extract_project.manifest.header.frontmatter import read_front_matter
from extract_project.manifest.header.model import Header
from extract_project.manifest.header.schema import header_schema
from extract_project.units import format_duration, parse_duration
from extract_project_tests.support.parsing import header, parse, reasons, valid

ROOT = Path(__file__).parent.parent.parent
SAMPLES = sorted((ROOT / "sql_manifest").rglob("*.sql"))


def test_an_absent_and_an_empty_header_are_the_defaults() -> None:
    for text in ("select 1 as one", header(""), header("# nothing yet")):
        assert valid(text).header == Header()


def test_every_key() -> None:
    extract = valid(
        header(
            """\
description: |
  Orders.
owners: [team:sales, anna@example.com]
tags: {domain: sales}
group: finance
warehouse: SHOP
depends_on: [x/y]
params: {country: NO, price: 1.10, since: 2026-01-01, at: 2026-01-01 06:00:00, no: null, n: 7}
format: csv
compression: gzip(9)
on_empty: keep
unchanged: publish
timeout: 1h30m
retries: {max: 5, delay: 10s}
pool: heavy
freshness: 26h
on_schema_change: fail
columns:
  a: int64 not null
  b: {type: "Decimal(38, 9)", nullable: false}
  c: struct<x list<text>, "y z" timestamp(9)>
  at: timestamp
checks:
  - min_rows: 1
  - {unique: a, severity: warn}
  - rows_change: -10%..+50%
  - freshness: {column: at, within: 2h}
    severity: warn
  - between: {a: [1, null]}""",
            "select :country, :price, :since, :at, :no, :n",
        )
    )
    parsed = extract.header
    assert extract.warehouse == "shop"
    assert extract.published_path() == "a/b.csv.gz"
    assert parsed.params == {
        "country": "NO",
        "price": Decimal("1.10"),
        "since": date(2026, 1, 1),
        "at": datetime(2026, 1, 1, 6),
        "no": None,
        "n": 7,
    }
    assert parsed.timeout == timedelta(minutes=90)
    assert [(check.name, check.severity) for check in parsed.checks] == [
        ("min_rows", "error"),
        ("unique_a", "warn"),
        ("rows_change", "error"),
        ("freshness_at", "warn"),
        ("between_a", "error"),
    ]
    assert parsed.columns is not None
    assert {name: (c.type, c.nullable) for name, c in parsed.columns.items()} == {
        "a": ("int64", False),
        "b": ("decimal(38,9)", False),
        "c": ('struct<x list<text>, "y z" timestamp(9)>', True),
        "at": ("timestamp", True),
    }
    assert Extract.model_validate_json(extract.model_dump_json()) == extract


@pytest.mark.parametrize(
    ("yaml_text", "expected"),
    [
        ("shedule: x", "2:1: unknown key 'shedule': did you mean 'schedule'?"),
        ("format: parket", "2:1: 'format': 'parket' is not a valid value: did you mean 'parquet'?"),
        (
            "owners: [bob]",
            "2:10: 'owners': 'bob' has the wrong form: did you mean 'team:bob'?",
        ),
        ("group: a b", "2:1: 'group': 'a b' has the wrong form: expected letters"),
        (
            "timeout: 25h",
            "2:1: 'timeout': 1d1h is not a valid timeout: expected more than 0s, at most 24h",
        ),
        (
            "timeout: 0s",
            "2:1: 'timeout': 0s is not a valid timeout: expected more than 0s, at most 24h",
        ),
        ("timeout: 5", "2:1: 'timeout': 5 is not a duration: expected a number and a unit"),
        ("retries: {mx: 3}", "2:11: unknown key 'mx': did you mean 'max'?"),
        ("warehouse: shp", "2:1: unknown warehouse 'shp': did you mean 'shop'?"),
        (
            "compression: snappy\nformat: csv",
            "2:1: csv has no compression 'snappy': expected one of gzip, zstd, none",
        ),
        (
            "format: csv\ncompression: zstd(9)",
            "3:1: compression 'zstd(9)': levels of zstd go from 1 to 1",
        ),
        ("compression: zstd(99)", "2:1: compression 'zstd(99)': levels of zstd go from 1 to 22"),
        (
            "incremental: {lag: 1h}",
            "2:1: 'incremental' lacks 'cursor': expected {cursor: updated_at",
        ),
        (
            "incremental: {cursor: a, lag: soon}",
            "2:26: 'lag': 'soon' is not a valid lag: expected a dur",
        ),
        ("incremental: {cursor: a, lg: 1h}", "2:26: unknown key 'lg': did you mean 'lag'?"),
        ("incremental: {cursor: a}", "2:1: the SQL does not use the watermark"),
        ("split: {}", "2:1: 'split': expected one of 'rows: N' and 'bytes: 256MB'"),
        ("split: {rows: 1, bytes: 9MB}", "2:1: 'split': expected one of 'rows: N'"),
        ("split: {bytes: 1MB}", "2:1: 'split': 'bytes' is below 8MB"),
        ("split: {bytes: 9}", "2:9: 'bytes': 9 is not a size: expected a number and a unit"),
        ("split: {row: 9}", "2:9: unknown key 'row': did you mean 'rows'?"),
        ("schedule: dayly", "2:1: 'schedule': 'dayly' is not a schedule: did you mean 'daily'?"),
        (
            "schedule: ['0 6 * * *', '0 61 * * *']",
            "2:25: 'schedule': '0 61 * * *' is not a valid cron",
        ),
        ("schedule: 0 0 30 2 *", "2:1: 'schedule': '0 0 30 2 *' is not a valid cron"),
        ("timezone: europe/berlin", "2:1: 'timezone': unknown time zone 'europe/berlin': did you"),
        (
            "on_change: run",
            "2:1: 'on_change': 'run' is not a valid value: expected one of materialize",
        ),
        ("params: {partition_key: x}", "2:10: params may not redefine partition_key"),
        ("params: {a: [1]}", "2:10: 'a': expected text, a number"),
        (
            "params: {a: 0001-01-01 00:00:00+09:00}",
            "2:10: 'a': 0001-01-01 00:00:00+09:00 is, in UTC",
        ),
        (
            "params: {a: 9999-12-31 23:00:00-01:00}",
            "2:10: 'a': 9999-12-31 23:00:00-01:00 is, in UTC",
        ),
        ("checks: [{min_row: 1}]", "2:10: unknown check 'min_row': did you mean 'min_rows'?"),
        ("columns: {a: int46}", "2:11: 'a': unknown type 'int46': did you mean 'int64'?"),
        ("columns:\n  a: varchar", "3:3: 'a': unknown type 'varchar': did you mean 'text'?"),
        ("columns:\n  a: {type: itn8}", "3:7: 'type': unknown type 'itn8': did you mean 'int8'?"),
        ("columns:\n  a: {type: text, nulable: 1}", "3:19: unknown key 'nulable': did you mean"),
        ("columns: {a: decimal(38,9)}", "2:11: 'a': 'decimal(38': expected numbers and a closing"),
        ("columns:\n  a: decimal(80,2)", "3:3: 'a': 'decimal(80,2)': expected 1 to 76 digits"),
        ("columns:\n  a: int64 null", "3:3: 'a': 'null' follows the type in 'int64 null'"),
        ("columns:\n  a: map<text>", "3:3: 'a': 'map<text>': expected the form map<text, int64>"),
        ("columns:\n  a:", "3:3: 'a': expected a type, as in 'int64' or 'int64 not null'"),
        ("columns:\n  a: date\n  A: date", "4:3: 'A' and 'a' differ only in case"),
        (
            "on_schema_change: no",
            "2:1: 'on_schema_change': 'no' is not a valid value: expected one of",
        ),
        ("checks: [5]", "2:10: unknown check '5': expected one of"),
        ("checks: [min_rows]", "2:10: check 'min_rows' has no rule: write 'min_rows: …'"),
        ("checks: [{unique: a, min_rows: 1}]", "2:"),
        (
            "checks:\n  - min_rows: -1",
            "3:5: 'min_rows': input should be greater than or equal to 0",
        ),
        ("checks:\n  - min_rows: 1\n    severty: warn", "4:5: unknown key 'severty'"),
        (
            "checks:\n  - rows_change: 50",
            "3:5: 'rows_change': 50 is not a change in rows: expected ±50%",
        ),
        ("checks:\n  - rows_change: 5..9%", "3:5: 'rows_change': '5..9%' is not a change in rows"),
        (
            "checks:\n  - freshness: {column: at, within: soon}",
            "3:29: 'within': 'soon' is not a duration: expected a number and a unit",
        ),
        ("checks:\n  - freshness: {column: at}", "3:5: 'freshness' lacks 'within': expected a"),
        ("checks:\n  - freshness: {column: at, within: 2h, clumn: x}", "3:41: unknown key 'clumn'"),
        (
            "anomalies: error",
            "2:1: 'anomalies': 'error' is not a valid value: expected one of allow, fail, warn",
        ),
        ("checks:\n  - unique: a\n  - unique: [a]", "4:5: duplicate check 'unique_a'"),
        ("checks:\n  - max_null_ratio: {a: 2}", "3:22: 'a': input should be less than"),
        ("checks:\n  - between: {a: [null, null]}", "3:5: 'between': a has no limit"),
        # From here on, what used to be a regular expression, pydantic's words or another line.
        ("owners: sales", "2:1: 'owners': 'sales' has the wrong form: did you mean 'team:sales'?"),
        ("owners: a b", "2:1: 'owners': 'a b' has the wrong form: expected 'team:sales' or an"),
        ("owners: {team: sales}", "2:1: 'owners': {'team': 'sales'} does not fit: expected 'team:"),
        (
            "tags: [a, b]",
            "2:1: 'tags': ['a', 'b'] does not fit: expected a mapping of words, as in",
        ),
        ("tags: {a b: c}", "2:8: 'a b': 'a b' has the wrong form: expected a mapping of words, as"),
        ("schedule: [1, 2]", "2:12: 'schedule': 1 does not fit: expected a cron as in '0 6 * * *'"),
        ("schedule:", "2:1: 'schedule': no value: expected a cron as in '0 6 * * *', words as in"),
        ("format:", "2:1: 'format': no value: expected one of arrow, csv, jsonl, parquet"),
        ("pool: ''", "2:1: 'pool': '' has the wrong form: expected letters, digits"),
        ("pool: two words", "2:1: 'pool': 'two words' has the wrong form"),
        ("enabled: perhaps", "2:1: 'enabled': 'perhaps' does not fit: expected true or false"),
        (
            "compression: brotli99",
            "2:1: 'compression': 'brotli99' has the wrong form: expected zstd",
        ),
        (
            "params: {bad name: 1}",
            "2:10: 'bad name': 'bad name' has the wrong form: expected a map",
        ),
        ("params: [1]", "2:1: 'params': [1] does not fit: expected a mapping of names"),
        ("checks: 5", "2:1: 'checks': 5 does not fit: expected a list, each check after a dash"),
        ("checks: [{between: {a: 5}}]", "2:21: 'a': 5 does not fit: expected columns with their l"),
        ("checks: [{between: {a: [1]}}]", "2:21: 'a': [1] does not fit: expected columns with"),
        ("checks: [{between: [a, 1, 5]}]", "2:11: 'between': ['a', 1, 5] does not fit: expected"),
        ("checks: [{min_rows: many}]", "2:11: 'min_rows': 'many' does not fit: expected a whole n"),
        ("checks: [{unique: {a: b}}]", "2:11: 'unique': {'a': 'b'} does not fit: expected a col"),
        ("checks: {min_rows: 1, max_rows: 2}", "2:1: 'max_rows' is a separate check"),
        ("retries: 3", "2:1: 'retries': 3 does not fit: expected {max: 2, delay: 30s}"),
        ("split: 5", "2:1: 'split': 5 does not fit: expected {rows: 1000000} or {bytes: 256MB}"),
        ("columns: [a, b]", "2:1: 'columns': ['a', 'b'] does not fit: expected a mapping of names"),
        ("incremental: cursor", "2:1: 'incremental': 'cursor' does not fit: expected {cursor:"),
        (
            "partitions: dayly",
            "2:1: 'partitions': 'dayly' is not a valid value: did you mean 'daily'?",
        ),
        ("partitions: [a/b]", "2:14: 'partitions': 'a/b' has the wrong form: expected letters,"),
        (
            "priority: high",
            "2:1: 'priority': 'high' does not fit: expected a whole number from -100",
        ),
        ("timeout: 0s", "2:1: 'timeout': 0s is not a valid timeout: expected more than 0s"),
        (
            "timeout: 99999999999999999999h",
            "2:1: 'timeout': '99999999999999999999h' is not a duration",
        ),
        ("freshness: 999999999d", "2:1: 'freshness': '999999999d' is longer than 36500d"),
        (
            "freshness: 0h",
            "2:1: 'freshness': 0s is shorter than Dagster can check: expected at least",
        ),
        ("retries: {delay: 9999h}", "2:11: 'delay': 416d15h is too long a pause between attempts"),
        ("memory: " + 400 * "9" + "GB", "2:1: 'memory': '999"),
        ("split: {bytes: " + 400 * "9" + "GB}", "2:9: 'bytes': '999"),
        ("split: {rows: 1e30}", "2:9: 'rows': input should be less than or equal to"),
        ("partitions: {type: daily, start: 2026-13-01}", "2:27: 'start': 2026-13-01 is not a date"),
        (
            "partitions: {type: daily, start: 0001-01-01}",
            "2:1: 'partitions': 'start' is 0001-01-01",
        ),
        ("partitions: {start: 2026-01-01}", "2:1: 'partitions': lacks 'type': expected hourly"),
        ("checks: [{min_rows: 1e999999999}]", "2:11: 'min_rows': 1e999999999 is too large"),
        ("priority: " + 5000 * "9", "2:1: 'priority': a number of 5,000 digits: expected at most"),
        ("params: {a: .inf}", "2:10: 'a': .inf is not a plain number"),
        ("columns: {a: " + 2000 * "list<" + "}", "2:11: 'a': list<list<"),
        ("checks: " + 900 * "[", "2:23: more than 16 levels of lists and mappings"),
        ("tags: " + 900 * "{a: ", "2:"),
        ("params: {a: !!bool x}", "2:13: tags are not allowed"),
        ("params: {a: !!timestamp x}", "2:13: tags are not allowed"),
        ("params: {a: *b}", "2:13: a value cannot begin with '*'"),
        ("<<: {format: csv}", "2:1: unknown key '<<'"),
        ("\tformat: csv", "2:1: a tab: YAML is indented with spaces"),
        ("tags:\n\ta: b", "3:1: a tab: YAML is indented with spaces"),
        ("owners: [team:a, team:b", "2:9: '[' is not closed: expected ',' or ']'"),
        ("tags: {unclosed: [", "2:"),
        ("description: 'it", "2:14: the quote is not closed"),
        ('description: "a\\d"', "2:17: a backslash within double quotes begins an escape"),
        ("description: Orders: all", "2:20: unexpected ':': put"),
        ("description", "1:1: the header is not a mapping"),
        ("description\nformat: csv", "3:7: unexpected ':'"),
        ("format: csv\n  pool: x", "3:7: unexpected ':'"),
        ("description: @shop", "2:14: a value cannot begin with '@': put it in quotes"),
        ("description: %shop", "2:14: a value cannot begin with '%': put it in quotes"),
        ("checks:\n- min_rows: 1\nformat csv", "4:1: this line has no ':' after its key"),
        ("? [a]\n: b", "2:3: a key is a list or mapping: expected a word"),
        ("format: csv\n---\npool: x", "3:1: the header contains '---'"),
        ('description: "\\0"', "2:1: 'description': U+0000 is not allowed in text"),
        ('tags: {"a\\0": b}', "2:8: 'a\\x00' is not a valid key: write it without escapes"),
        ('description: "\\ud800"', "2:1: 'description': U+D800 is not allowed in text"),
        ("checks:\n  - sql: delete from result", "3:5: 'sql': this file would run 'delete'"),
        (
            "description: a\nformat: csv\ndescription: b",
            "4:1: duplicate key 'description': it is on line 2",
        ),
        ("description: &a x", "2:14: anchors are not allowed"),
        ("- a\n- b", "1:1: the header is not a mapping"),
        ("a: [", "2:5: '[' or '{' is not closed"),
    ],
)
def test_each_fault_has_its_place_and_a_suggestion(yaml_text: str, expected: str) -> None:
    assert reasons(header(yaml_text))[0].startswith(expected)


@pytest.mark.parametrize(
    ("yaml_text", "expected"),
    [
        ("unique: [a, ID]", None),
        (
            "unique: [a, idd]",
            "5:17: check 'unique_a_idd' names column 'idd', which",
        ),
        (
            "unique: idd",
            "5:5: check 'unique_idd' names column 'idd'",
        ),
        ("not_null: [b, a]", "5:16: check 'not_null_b_a' names column 'b'"),
        ("accepted_values: {b: [1]}", "5:23: check 'accepted_values_b' names column 'b'"),
        ("between: {id: [1, 2], b: [1, 2]}", "5:27: check 'between_id_b' names column 'b'"),
        ("max_null_ratio: {b: 0.5}", "5:22: check 'max_null_ratio_b' names column 'b'"),
        ("freshness: {column: b, within: 1h}", "5:17: check 'freshness_b' names column 'b'"),
        ("min_rows: 1", None),
    ],
)
def test_checks_name_columns_that_the_contract_has(yaml_text: str, expected: str | None) -> None:
    text = header(f"columns: {{id: int64, a: date}}\n\nchecks:\n  - {yaml_text}", "select id, a")
    if expected is None:
        valid(text)
    else:
        (reason,) = reasons(text)
        assert reason.startswith(expected)


def test_a_cursor_is_a_column_that_the_contract_has() -> None:
    text = header("columns: {a: date}\nincremental: {cursor: b}", f"{WHERE}u >= :watermark")
    assert reasons(text)[0].startswith("3:15: 'incremental' names column 'b' as its cursor")


def test_a_parameter_that_is_not_used_is_refused() -> None:
    (reason,) = reasons(header("params:\n  a: 1\n  b: 2", "select :a"))
    assert reason == "4:3: the SQL does not use :b: use it, or remove it from 'params'"


WHERE = "select u from t where :watermark is null or "


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize(
    ("condition", "line_and_sign"),
    [
        ("\nu > :watermark", "5:5 >="),
        ("\n:watermark < u", "5:1 <="),
        ("\nu > cast(:watermark as timestamp)", "5:10 >="),
        ("u >= :watermark and u < now()", None),
        ("u between :watermark and now()", None),
    ],
)
def test_a_watermark_that_would_lose_ties_is_refused(
    dialect: str, condition: str, line_and_sign: str | None
) -> None:
    text = f"/*---\nincremental: {{cursor: u, lag: 1h}}\n---*/\n{WHERE}{condition}"
    if line_and_sign is None:
        extract = valid(text, dialect)
        assert extract.query().values == {"watermark": None}
        assert Extract.model_validate_json(extract.model_dump_json()) == extract
        return
    (reason,) = reasons(text, dialect)
    place, sign = line_and_sign.split()
    assert reason.startswith(f"{place}: later rows with exactly the watermark's value")
    assert f"write '{sign}'" in reason


def test_increments_have_no_partitions_and_watermarks_belong_to_increments() -> None:
    both = "/*---\npartitions: daily\nincremental: {cursor: u}\n---*/\n"
    assert reasons(f"{both}{WHERE}u >= :partition_start")[0].startswith(
        "3:1: 'incremental' cannot be combined with"
    )
    assert "this file is not incremental" in reasons(f"{WHERE}true")[0]


@pytest.mark.parametrize(
    ("yaml_text", "published"),
    [
        ("split: {rows: 5}", "a/b/_manifest.json"),
        ("split: {bytes: 2GB}\npartitions: [eu]", "a/b/partition=eu/_manifest.json"),
    ],
)
def test_a_split_extract_is_published_under_its_manifest(yaml_text: str, published: str) -> None:
    extract = valid(
        f"/*---\n{yaml_text}\n---*/\nselect :partition_key as k"
        if "partitions" in yaml_text
        else header(yaml_text)
    )
    partition = "eu" if extract.header.partitions else None
    assert extract.published_path(partition) == published
    assert Extract.model_validate_json(extract.model_dump_json()) == extract


def test_every_fault_is_reported_not_only_the_first() -> None:
    found = reasons(header("shedule: x\nformat: parket"))
    assert sorted(reason.split(":")[0] for reason in found) == ["2", "3"]


@pytest.mark.parametrize("word", ["NO", "yes", "on", "off", "1:30", "0o17", "~x"])
def test_plain_words_are_words(word: str) -> None:
    assert valid(header(f"params: {{a: {word}}}", "select :a")).header.params == {"a": word}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_numbers_with_a_point_are_exact(number: Decimal) -> None:
    found = valid(header(f"params: {{a: {number:f}}}", "select :a"))
    assert found.header.params["a"] == number
    assert Extract.model_validate_json(found.model_dump_json()).header.params["a"] == number


@given(st.timedeltas(timedelta(0), timedelta(days=999)))
def test_durations_round_trip(duration: timedelta) -> None:
    whole = timedelta(seconds=int(duration.total_seconds()))
    assert parse_duration(format_duration(whole)) == whole


@given(st.text(max_size=200), st.text(max_size=50))
def test_g6_no_text_ever_raises(yaml_text: str, sql: str) -> None:
    parse(f"/*---\n{yaml_text}\n---*/\n{sql}")
    parse(sql)


@given(st.binary(max_size=200))
def test_g6_no_bytes_ever_raise(content: bytes) -> None:
    parse(content)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_the_samples_fit_the_json_schema(sample: Path) -> None:
    text = sample.read_text()
    source = text[text.index("/*---") + 5 : text.index("---*/")]
    jsonschema.validate(json_like(yaml.safe_load(source)), header_schema())
    assert valid(text).header == Header.model_validate(read_front_matter(text).data)


def json_like(value: Any) -> Any:
    """YAML's dates as JSON has them."""
    return json.loads(json.dumps(value, default=str))


@pytest.mark.parametrize(
    "wrong",
    [
        {"formt": "csv"},
        {"format": "xml"},
        {"checks": [{"min_rows": -1}]},
        {"timeout": 5},
        {"columns": {"a": "int46"}},
        {"columns": {"a": {"type": "text", "null": True}}},
    ],
)
def test_the_json_schema_refuses_what_the_header_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, header_schema())


def test_the_samples_show_every_key() -> None:
    shown = set[str]()
    for sample in SAMPLES:
        shown |= read_front_matter(sample.read_text()).data.keys()
    of_other_warehouses = {"engine", "max_bytes"}
    assert shown == set(Header.model_fields) - of_other_warehouses
