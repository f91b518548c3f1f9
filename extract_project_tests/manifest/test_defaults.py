"""Defaults of folders: what a file inherits, takes back, and what is said where they are wrong."""

from __future__ import annotations

import json
from datetime import timedelta

import jsonschema
import pytest

from extract_project.manifest.extract import Extract
from extract_project.manifest.header.schema import defaults_schema
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project_tests.support.parsing import header
from extract_project_tests.support.trees import refused_one, understood, understood_one

SQL = "select 1 as one"


def test_the_nearest_wins_key_by_key() -> None:
    found = understood_one(
        {
            "_defaults.yaml": "owners: team:data\ntimeout: 10m\nschedule: daily at 06:00\n",
            "sales/_defaults.yaml": "owners: team:sales\nformat: csv\n",
            "sales/eu/_defaults.yaml": "format: jsonl\n",
            "other/_defaults.yaml": "format: arrow\n",
            "sales/eu/orders.sql": header("timeout: 5m", SQL),
        }
    )
    assert found.header.owners == ["team:sales"]
    assert found.header.timeout == timedelta(minutes=5)
    assert found.header.format == "jsonl"
    assert found.header.schedule == ("daily at 06:00",)
    assert [each.file for each in found.defaults] == [
        "_defaults.yaml",
        "sales/_defaults.yaml",
        "sales/eu/_defaults.yaml",
    ]


def chosen(defaults: str, own: str) -> Extract:
    return understood_one({"_defaults.yaml": defaults, "a.sql": header(own, SQL)})


def test_the_choice_of_types_is_inherited_and_part_of_the_code_version() -> None:
    own = "integers: decimal\ntimestamps: ns"
    inherited = chosen("integers: decimal\n", "timestamps: ns")
    assert inherited.types == TypeChoices(integers="decimal", timestamps="ns")
    assert inherited.code_version == chosen("", own).code_version
    assert inherited.code_version != chosen("integers: decimal\n", "").code_version
    assert chosen("integers: decimal\n", "integers: int64").types == DEFAULTS


def test_a_choice_that_its_warehouse_has_no_columns_for_changes_nothing() -> None:
    """A default for files of several warehouses is a change of those that it concerns."""
    plain, with_choice = chosen("", ""), chosen("numeric: text\n", "")
    assert plain.kind == "duckdb"
    assert with_choice.types == DEFAULTS
    assert with_choice.code_version == plain.code_version


def test_tags_and_params_are_merged_and_checks_are_added() -> None:
    found = understood_one(
        {
            "_defaults.yaml": "tags: {domain: all, tier: gold}\nparams: {a: 1, b: 2, unused: 3}\n"
            "checks: [{min_rows: 1}, {not_null: id}]",
            "sales/_defaults.yaml": "tags: {domain: sales}\nchecks: {max_rows: 10}\n",
            "sales/orders.sql": header(
                "tags: {own: x}\nparams: {b: 3}\nchecks: [{min_rows: 2}]", "select :a + :b as id"
            ),
        }
    )
    assert found.header.tags == {"domain": "sales", "tier": "gold", "own": "x"}
    assert found.header.params == {"a": 1, "b": 3}
    assert [check.name for check in found.header.checks] == ["not_null_id", "max_rows", "min_rows"]
    assert found.header.checks[2].min_rows == 2  # type: ignore[attr-defined]


def test_null_takes_a_default_back() -> None:
    found = understood_one(
        {
            "_defaults.yaml": "schedule: hourly\nretries: {max: 5}\ntags: {a: x, b: y}\n"
            "checks: [{not_null: id}, {not_null: other}, {min_rows: 1}]\nparams: {p: 1}",
            "a.sql": header(
                "schedule: null\ntags: {a: null}\nchecks: [{not_null: null}, {max_rows: 9}]\n"
                "params: {p: null}",
                "select :p as one",
            ),
        }
    )
    assert found.header.schedule == ()
    assert found.header.retries.max == 5
    assert found.header.tags == {"b": "y"}
    assert [check.name for check in found.header.checks] == ["min_rows", "max_rows"]
    assert found.header.params == {"p": None}  # a value as others are


def test_a_nearer_folder_takes_back_for_all_below_it() -> None:
    found = understood_one(
        {
            "_defaults.yaml": "checks: {min_rows: 1}\nschedule: hourly",
            "a/_defaults.yaml": "checks: null\nschedule: null",
            "a/b.sql": SQL,
        }
    )
    assert (found.header.checks, found.header.schedule) == ([], ())


def test_null_without_any_default_is_as_if_the_key_were_absent() -> None:
    assert understood_one({"a.sql": header("schedule: null\nchecks: null", SQL)}).header.crons == ()
    (reason,) = refused_one({"a.sql": header("schedule:", SQL)})
    assert "'schedule': no value" in reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# x\nshedule: hourly", "2:1: unknown key 'shedule': did you mean 'schedule'?"),
        ("timeout: 5 parsecs", "1:1: 'timeout': "),
        ("checks:\n- min_row: 1", "2:3: unknown check 'min_row': did you mean 'min_rows'?"),
        ("checks: [{min_rows: 1}, {min_rows: 2}]", "1:25: duplicate check 'min_rows'"),
        ("description: x", "1:1: 'description' is about one extract: write it in the SQL file"),
        ("format: csv\ncolumns: {a: int64}", "2:1: 'columns' is about one extract"),
        ("path: out/{folder}.csv", "1:1: 'path' has no {name}, so that all files below would"),
        ("params: {watermark: 1}", "1:10: params may not redefine watermark"),
        ("warehouse: shopp", "1:1: unknown warehouse 'shopp': did you mean 'shop'?"),
        ("- a\n- b", "1:1: this file is not a mapping"),
        ("format: csv\nformat: csv", "2:1: duplicate key 'format': it is on line 1 too"),
        ("a: &a [x]\nb: *a", "1:4: anchors are not allowed"),
        ("a: " + "[" * 40 + "]" * 40, "1:18: more than 16 levels"),
        ("format: csv\n---\nformat: csv", "2:1: this file contains '---'"),
        ("format: [", "1:10: '[' or '{' is not closed"),
        ("format: c\x07sv", "1:10: this file has the invisible character U+0007"),
        ("# " + "x" * (1 << 15), "1:1: this file has 32,770 characters: expected at most 32,768"),
        (b"format: \xff", "1:9: byte 8 (0xff) is not UTF-8"),
        ("format: csv".encode("utf-16"), "1:1: this file is UTF-16"),
    ],
)
def test_invalid_defaults_say_where(text: str | bytes, reason: str) -> None:
    (found,) = refused_one({"sales/_defaults.yaml": text, "sales/orders.sql": SQL})
    assert found.startswith(f"sales/_defaults.yaml:{reason}")


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n\n", "# only a comment\n", "---\n", "null", "{}", "\ufeffformat: csv"),
        *("format: csv\r\npool: x\r\n", "---\nformat: csv\n...\n"),
    ],
)
def test_odd_files_that_are_fine(text: str) -> None:
    assert understood_one({"_defaults.yaml": text, "a.sql": SQL})


@pytest.mark.parametrize(
    "name", ["_defaults.yml", "_Defaults.yaml", "_DEFAULTS.YAML", "_defaults", "_default.yaml"]
)
def test_a_misspelt_name_is_not_ignored(name: str) -> None:
    found = understood({f"a/{name}": "format: csv", "a/b.sql": SQL, "c.sql": SQL})
    assert found["a/b"].reasons == [  # type: ignore[union-attr]
        f"a/{name}:1:1: this file is not read under this name: rename it to '_defaults.yaml'"
    ]
    assert isinstance(found["c"], Extract)


def test_a_sql_file_cannot_be_named_like_defaults() -> None:
    (reason,) = refused_one({"a/_defaults.yaml.sql": "format: csv"})
    assert "is kept for the defaults of a folder" in reason


def test_g6_invalid_defaults_concern_what_is_below_them_alone() -> None:
    found = understood(
        {
            "_defaults.yaml": "format: csv",
            "a/_defaults.yaml": "formt: csv",
            "a/one.sql": SQL,
            "a/b/two.sql": header("shedule: x", SQL),
            "ab/three.sql": SQL,
            "four.sql": SQL,
        }
    )
    assert {path for path, each in found.items() if isinstance(each, Extract)} == {
        "ab/three",
        "four",
    }
    assert found["a/one"].reasons == [  # type: ignore[union-attr]
        "a/_defaults.yaml:1:1: unknown key 'formt': did you mean 'format'?"
    ]
    assert [each.split(": ")[0] for each in found["a/b/two"].reasons] == [  # type: ignore[union-attr]
        "a/_defaults.yaml:1:1",
        "a/b/two.sql:2:1",
    ]


@pytest.mark.parametrize(
    ("defaults", "text", "reason"),
    [
        (
            "# x\npartitions: daily",
            header("incremental: {cursor: id}", "select 1 as id where :watermark is null"),
            "a/b.sql:2:1: 'incremental' cannot be combined with 'partitions': a partition is "
            "published whole, and its window selects the new rows; keep one of them "
            "('partitions' is set in "
            "a/_defaults.yaml:2:1)",
        ),
        (
            "incremental: {cursor: id}",
            header("pool: x\npartitions: daily", "select :partition_key as id"),
            "a/b.sql:3:1: 'incremental' cannot be combined with 'partitions': a partition is "
            "published whole, and its window selects the new rows; keep one of them "
            "('incremental' is set in "
            "a/_defaults.yaml:1:1)",
        ),
        (
            "format: csv",
            header("compression: snappy", SQL),
            "a/b.sql:2:1: csv has no compression 'snappy': expected one of",
        ),
        (
            "pool: x\npartitions: daily",
            SQL,
            "a/b.sql:1:1: the SQL does not use its partition's values",
        ),
        (
            "checks:\n- not_null: [id, two]",
            header("columns: {id: int64}", "select 1 as id"),
            "a/b.sql:2:1: check 'not_null_id_two' names column 'two', which the result does not",
        ),
        (
            "depends_on: a/c",
            SQL,
            "a/b.sql:1:1: no extract 'a/c' to depend on",
        ),
        (
            "checks: {min_rows: 1}",
            header("checks: []", SQL),
            "a/b.sql:2:1: 'checks' is empty",
        ),
    ],
)
def test_a_conflict_is_at_the_file_and_says_where_the_default_is(
    defaults: str, text: str, reason: str
) -> None:
    (found,) = refused_one({"a/_defaults.yaml": defaults, "a/b.sql": text})
    assert found.startswith(reason)
    if "checks: []" not in text:
        assert "a/_defaults.yaml:" in found


def test_places_of_checks_are_those_of_their_files() -> None:
    found = understood_one(
        {
            "_defaults.yaml": "checks:\n- min_rows: 1\n- not_null: [id]",
            "a.sql": header("checks:\n- min_rows: 5\n- max_rows: 9", "select 1 as id"),
        }
    )
    placed = {
        check.name: found.problem(found.header.path_of_check(check.name), "x")
        for check in found.header.checks
    }
    assert placed["min_rows"].line == 3
    assert placed["max_rows"].line == 4
    assert placed["not_null_id"].message == "x ('checks' is set in _defaults.yaml:3:3)"


def test_a_default_that_shapes_data_changes_the_code_version() -> None:
    def version(defaults: str) -> str:
        return understood_one({"_defaults.yaml": defaults, "a.sql": SQL}).code_version

    assert version("format: csv") != version("format: jsonl")
    assert version("schedule: hourly") == version("schedule: null")
    assert version("params: {unused: 1}") == version("params: {unused: 2}")


def test_the_json_schema_of_defaults_agrees_with_what_is_accepted() -> None:
    schema = defaults_schema()
    fine = {
        "owners": "team:sales",
        "schedule": None,
        "tags": {"domain": None},
        "checks": [{"min_rows": 1}, {"not_null": None}],
    }
    jsonschema.validate(fine, schema)
    assert understood_one({"_defaults.yaml": json.dumps(fine), "a.sql": SQL})
    all_wrong: list[dict[str, object]] = [
        {"description": "x"},
        {"columns": {}},
        {"shedule": "hourly"},
    ]
    for wrong in all_wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
        assert refused_one({"_defaults.yaml": json.dumps(wrong), "a.sql": SQL})


def test_a_path_with_names_is_a_default_like_others() -> None:
    found = understood_one({"_defaults.yaml": "path: 'out/{name}.parquet'", "a/b.sql": SQL})
    assert found.published_path() == "out/b.parquet"
