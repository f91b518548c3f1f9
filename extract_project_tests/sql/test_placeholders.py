"""`:name`: found where it stands for a value, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project_tests.manifest.parsing import reasons, valid

PARAMS = "/*---\nparams: {a: 1, name: x}\n---*/ "
ALL = ("duckdb", "postgres", "snowflake")


def names(sql: str, dialect: str) -> list[str]:
    return [each.name for each in valid(PARAMS + sql, dialect).placeholders]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    "sql",
    [
        "select :a as x",
        "select 1 as x where 1=:a",
        "select 1 as x where (:a) in (1,:a)",
        "select f(:a, :name) as x",
        "select -:a as x, 1+:a as y",
        "select :a::int as x",
        "select 1 as x limit :a",
        "select case when 1 = 1 then :a else :name end as x",
        "select 'é' as x, :a as y -- ü :b",
    ],
)
def test_placeholders_are_found(sql: str, dialect: str) -> None:
    assert set(names(sql, dialect)) <= {"a", "name"}
    assert "a" in names(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        *[("select x::int as y from t", dialect) for dialect in ALL],
        *[("select ':a' as x /* :a */ -- :a", dialect) for dialect in ALL],
        *[('select ":a" as x from t', dialect) for dialect in ALL],
        ("select $$ :a $$ as x", "postgres"),
        ("select $tag$ :a $tag$ as x", "postgres"),
        ("select $$ :a $$ as x", "snowflake"),
        ("select v:a as x, v:a.b as y, v:a[0]:name::string as z from t", "snowflake"),
        ('select "v":a as x, f(v):a as y from t', "snowflake"),
        ("select $1:a as x from @stage", "snowflake"),
        ("select {'k':a} as x, x[1:a] as y from t", "duckdb"),
        ("select x[1:2] as y from t", "postgres"),
    ],
)
def test_other_colons_are_left_alone(sql: str, dialect: str) -> None:
    assert names(sql, dialect) == []


def test_an_unknown_name_is_refused_at_its_place() -> None:
    assert reasons(PARAMS + "\nselect 1 as x\nwhere 1 = :nam") == [
        "5:11: unknown parameter ':nam': did you mean 'name'? "
        "(a value comes from 'params' in the header)"
    ]
    assert reasons("select :day as x")[0].endswith("add 'params: {day: …}' to its header")


def test_a_builtin_without_its_feature_is_unknown() -> None:
    assert reasons("select :partition_start as x")[0].startswith("1:8: unknown parameter")


PIECES = st.sampled_from(
    ["1", "'text :a'", '"col :a"', "x::int", "/* :a */ 2", "f(x)", "-- :a\n3", "'é🙂'"]
)


@given(st.lists(st.one_of(PIECES, st.sampled_from([":a", ":name"])), min_size=1, max_size=12))
def test_rendering_replaces_placeholders_and_moves_nothing_else(values: list[str]) -> None:
    text = PARAMS + "select " + ",\n".join(values)
    extract = valid(text)
    expected = [value[1:] for value in values if value in (":a", ":name")]
    assert [each.name for each in extract.placeholders] == expected
    rendered = extract.query().render("${}".format)
    restored = PARAMS + "select " + ",\n".join("$" + v[1:] if v[0] == ":" else v for v in values)
    assert rendered.text == restored
    assert extract.query().bound == {name: {"a": 1, "name": "x"}[name] for name in expected}
