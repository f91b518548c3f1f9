"""`:name`: found where it stands for a value, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.sql.guard import read_statement
from extract_project.warehouses import dialect_of
from extract_project_tests.support.parsing import reasons, valid

PARAMS = "/*---\nparams: {a: 1, name: x}\n---*/ "
ALL = ("duckdb", "postgres", "snowflake")


def names(sql: str, dialect: str) -> list[str]:
    return [
        each.name for each in read_statement(sql, dialect_of(dialect), ("a", "name")).placeholders
    ]


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


@pytest.mark.parametrize(
    ("sql", "dialects"),
    [
        ("select 1 as x limit:a", ALL),
        ("select case when 1=1 then:a else:a end as x", ALL),
        ("select distinct:a as x", ALL),
        ("select:a as x", ALL),
        ("select 1 as x where 1 between:a and:a or not:a = 1", ALL),
        ("select * from t where x like:a or x in(:a)", ALL),
        ("select (current_timestamp at time zone :a) as x", ("postgres", "duckdb")),
        ("select x[1: :a] as y from t", ("postgres", "duckdb")),
        ("select x[:a] as y from t", ALL),
        ("select substring('abc' from :a for :a) as x", ("postgres", "duckdb")),
        ("select a: :a", ("duckdb",)),
        ("select {'k': :a} as x, [:a, :a] as y", ("duckdb",)),
        ("select list_transform([1], lambda x: x + :a) as y", ("duckdb",)),
        ("select transform(v, x -> x + :a) as y from t", ("snowflake",)),
        ("select v:b[:a]::int as x from t", ("snowflake",)),
        ("select x ilike:a as y from t sample (:a)", ("snowflake",)),
        ("select top :a x from t", ("snowflake",)),
        ("select * from t where d>=:a::date and d<:a::date+1", ALL),
    ],
)
def test_a_placeholder_stands_directly_behind_a_word_or_sign(
    sql: str, dialects: tuple[str, ...]
) -> None:
    for dialect in dialects:
        found = read_statement(sql, dialect_of(dialect), ["a", "b"])
        assert [each.name for each in found.placeholders] == ["a"] * sql.count(":a"), dialect
        assert found.warnings == ()


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select x[b :a] as y from t", "postgres"),
        ("select x[b :a], x[1 :a], x[f(1) :a] from t", "duckdb"),
        ("select x[:-:a] as y from t", "duckdb"),
        ("select a :name", "duckdb"),
        ("select {a :name} as x, {'k' :a} as y from t", "duckdb"),
        ("select list_transform(l, lambda x :x + 1) as y from t", "duckdb"),
        ("select v\n  :a\n  :name as x from t", "snowflake"),
        ("select v:from:a as x, v:a:from:name from t", "snowflake"),
        ("select json_object('k' :a) as x from t", "postgres"),
        ("select e'it\\'s :a' as x", "postgres"),
        ("select e'a'\n'\\' :a' as x", "postgres"),
        ("select $a$ $b$ :a $b$ :a $a$ as x", "postgres"),
        ("select 'it\\'s :a' as x", "snowflake"),
        ("select 1 as x /* /* */ :a */", "postgres"),
        ("select 1 as x /* /* */ -- :a", "snowflake"),
    ],
)
def test_a_colon_after_a_value_is_no_placeholder(sql: str, dialect: str) -> None:
    assert names(sql, dialect) == []


@pytest.mark.parametrize(
    ("sql", "dialects", "shown"),
    [
        ("select * from t where a = ?", ALL, "'?'"),
        ("select * from t where a = $1", ("postgres", "duckdb"), "'$1'"),
        ("select $name as x", ("duckdb",), "'$name'"),
        ("select * from t where a = :1", ALL, "':1'"),
        ("select * from t where a = %s", ALL, "'%s'"),
        ("select * from t where a = %(a)s", ALL, "'%(a)s'"),
        ("select * from {{ ref('t') }}", ALL, "'{{'"),
        ("select {% if x %} 1 {% endif %}", ALL, "'{%'"),
        ("select * from t where a = ${a}", ALL, "'${'"),
        ("select * from t where a = :'a'", ALL, "\":'a'\""),
        ("select * from t limit ?", ALL, "'?'"),
        ("select * from t where a = &day", ALL, "'&day'"),
        ("select * from &&t", ALL, "'&&"),
        ("select * from t where a=%s", ALL, "'%s'"),
        ("select <%= x %> as a", ALL, "'<%'"),
    ],
)
def test_what_other_tools_write_for_a_value_is_refused(
    sql: str, dialects: tuple[str, ...], shown: str
) -> None:
    for dialect in dialects:
        found = reasons(sql, dialect)[0]
        assert shown in found
        assert "is not a parameter: write ':name'" in found


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select a %s as x, a % s as y, a &s as z, a&&s as w from t", "postgres"),
        ("select j ? 'k' as x, j ?| array['k'] as y, a ?& array['k'] as z from t", "postgres"),
        (
            "select j @? '$.k' as x, ?- s as y, ?| s as z, 'a' <% 'b' as w, - -1 as v from t",
            "postgres",
        ),
        ("select 1+--x\n2 as x, 3*/* y */4 as y, -:a as z".replace(":a", "5"), "postgres"),
        ("select $1, $2:a from @stage", "snowflake"),
        (
            "select * from t match_recognize(order by a measures first(a) as f "
            "pattern (x? y+? z*) define x as a > 1) m",
            "snowflake",
        ),
        ("select x[:1] as y, {'a': 1, 'b': {'c': 2}} as z from t", "duckdb"),
    ],
)
def test_signs_that_only_look_like_parameters_are_left_alone(sql: str, dialect: str) -> None:
    assert names(sql, dialect) == []


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select '{{ ds }}' as x", "'{{ ds }}' and is sent unchanged"),
        ("select '${day}' as x", "contains '${day}'"),
        ("select 1 as x where 'b' = ':a'", "the text ':a', not the value"),
    ],
)
def test_a_string_that_expects_a_value_is_a_warning(sql: str, message: str, dialect: str) -> None:
    (warning,) = read_statement(sql, dialect_of(dialect), ["a"]).warnings
    assert message in warning.message


@pytest.mark.parametrize("dialect", ALL)
def test_other_strings_are_no_warning(dialect: str) -> None:
    sql = "select '{a}' as x, 'b :a' as y, '{\"k\": 1}' as z, ':b' as w"
    assert read_statement(sql, dialect_of(dialect), ["a"]).warnings == ()


def test_a_parameter_after_a_value_says_how_to_write_it() -> None:
    assert "write (:a)" in reasons(PARAMS + "select distinct on (b) :a as x from t", "postgres")[0]


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
    values = [":a", ":name", *values]
    text = PARAMS + "select " + ",\n".join(values)
    extract = valid(text)
    expected = [value[1:] for value in values if value in (":a", ":name")]
    assert [each.name for each in extract.placeholders] == expected
    rendered = extract.query().render("${}".format)
    restored = PARAMS + "select " + ",\n".join("$" + v[1:] if v[0] == ":" else v for v in values)
    assert rendered.text == restored
    assert extract.query().bound == {name: {"a": 1, "name": "x"}[name] for name in expected}
