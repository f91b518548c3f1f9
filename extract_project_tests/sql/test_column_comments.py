"""Comments behind the columns of a statement describe them, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.problem import Refused
from extract_project.sql.column_comments import column_comments
from extract_project.sql.tokens import tokenize
from extract_project.warehouses import dialect_of

ALL = ("duckdb", "postgres", "snowflake")


def comments(text: str, dialect: str) -> dict[str, str]:
    lexicon = dialect_of(dialect).lexicon
    tokens = [token for token in tokenize(text, lexicon) if token.text != ";"]
    return column_comments(text, tokens, lexicon)


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "select o_key as order_id, -- the shop's number\n  1 as b",
            {"order_id": "the shop's number"},
        ),
        ("select a -- first\n, b -- second\n, c\nfrom t", {"a": "first", "b": "second"}),
        ("select a,-- first\r\n b -- last\r\nfrom t", {"a": "first", "b": "last"}),
        ("select a /* x */, b /* y */ from t", {"a": "x", "b": "y"}),
        ("select a, /* of b, or of a */ b from t", {}),
        ("select a, /* of a\n * on two lines */\n b from t", {"a": "of a on two lines"}),
        ("select a /* x */ -- y\n from t", {"a": "x y"}),
        ("select a, -- of a\n -- and a line that may be about b\n b from t", {"a": "of a"}),
        ("select a,\n-- above b\n b from t", {}),
        ("-- a title\nselect /* none */ a\nfrom t -- the table", {}),
        ("select 1 as a -- the only one", {"a": "the only one"}),
        ("select 1 as a -- the only one\n;", {"a": "the only one"}),
        ("select 1 as a; -- about the statement", {}),
        # Names.
        (
            'select x as "Order Id", -- quoted\n y "B", -- implicit\n z',
            {"Order Id": "quoted", "B": "implicit"},
        ),
        ("select S.T.Col, -- dotted\n A b -- implicit\nfrom t", {"col": "dotted", "b": "implicit"}),
        ("select distinct a, -- x\n b from t", {"a": "x"}),
        ("select distinct on (a, b) c -- x\nfrom t", {"c": "x"}),
        ("select t.*, -- everything\n b -- x\nfrom t", {"b": "x"}),
        (
            "select count(*), -- no name\n sum(x) -- none\n as total -- the sum\nfrom t",
            {"total": "the sum"},
        ),
        ("select x + y, -- no name\n x + y as z -- z\nfrom t", {"z": "z"}),
        ("select x::date, -- no alias\n x::double precision, -- nor here\n 1 as a", {}),
        (
            "select case when a then 1 end, -- no alias\n case a when 1 then 2 end b -- b\nfrom t",
            {"b": "b"},
        ),
        ("select x is null, -- no alias\n not x, -- none\n - x -- none\nfrom t", {}),
        (
            "select x is distinct from y as same, -- whether\n z -- z\nfrom t",
            {"same": "whether", "z": "z"},
        ),
        ("select a, -- one\n x as a, -- another\n b -- b\nfrom t", {"b": "b"}),
        # Items and the list.
        ("select f(a, -- argument\n b) as c, -- result\n d from t", {"c": "result"}),
        ("select case when x -- why\n then 1 end as y, -- y\n z from t", {"y": "y"}),
        ("select (select a -- inner\n from u) as b, -- outer\n 1 as c", {"b": "outer"}),
        ("with c as (select a -- inner\n from u) select a, -- outer\n b from c", {"a": "outer"}),
        ("with c as (select 1 as a) select b from t -- the table\n", {}),
        ("select a -- first\nfrom t union all select b -- second\nfrom u", {"a": "first"}),
        ("(select a -- first\nfrom t) union (select b -- second\nfrom u)", {"a": "first"}),
        ("with c as (select 1 as x) (select a -- a\n from t) union select b -- b\nfrom u", {}),
        ("values (1) union select a -- a\nfrom t", {}),
        ("select a -- a\nfrom t where exists (select 1 as b -- b\n)", {"a": "a"}),
        ("select a, b -- b\norder by a -- by a\n", {"b": "b"}),
        ("select listagg(x) within group (order by y) as l, -- joined\n z from t", {"l": "joined"}),
        (
            "select t.limit, -- a name\n x as from_day -- another\nfrom t",
            {"limit": "a name", "from_day": "another"},
        ),
        ("select a, -- trailing comma\nfrom t", {"a": "trailing comma"}),
        ("select 'it''s -- no comment', -- x\n a -- a\nfrom t", {"a": "a"}),
        # What is no description.
        (
            "select a, -- noqa: L031\n b, -- TODO rename\n c, -- , d\n e, -- f,\n g from t",
            {},
        ),
        ("select a /*+ a hint */, b -- xxx\nfrom t", {}),
        ("select a, --- dashed ---\n b, --\n c from t", {"a": "dashed"}),
        ("show tables", {}),
        ("", {}),
    ],
)
def test_a_comment_behind_a_column(text: str, expected: dict[str, str], dialect: str) -> None:
    assert comments(text, dialect) == expected


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("select a, // first\n b from t", "snowflake", {"a": "first"}),
        ("select top 10 a -- x\nfrom t", "snowflake", {"a": "x"}),
        ("select v:a.b, -- a path\n v:c as c -- c\nfrom t", "snowflake", {"b": "a path", "c": "c"}),
        ("select a /* one /* two */ three */, b from t", "postgres", {"a": "one /* two */ three"}),
        ('select x collate "C", -- none\n (r).f -- a field\nfrom t', "postgres", {"f": "a field"}),
        ("select e'\\' -- x', a -- a\nfrom t", "postgres", {"a": "a"}),
        ("select $$ -- x\n $$ as s, -- s\n b from t", "postgres", {"s": "s"}),
        ("from t select a, -- first\n b", "duckdb", {"a": "first"}),
        ("select * exclude (a), -- rest\n [1, -- one\n 2] as l -- l\nfrom t", "duckdb", {"l": "l"}),
        ("select {'a': 1, -- one\n 'b': 2} as s, -- s\n 1 as c", "duckdb", {"s": "s"}),
    ],
)
def test_what_one_dialect_has(text: str, dialect: str, expected: dict[str, str]) -> None:
    assert comments(text, dialect) == expected


_PIECES = st.sampled_from(
    [
        "select",
        "with",
        "as",
        "a",
        "b",
        '"c"',
        "'s'",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        "::",
        "*",
        "from",
        "union",
        "by",
        "group",
        "distinct",
        "-- x\n",
        "/* y */",
        "/*",
        "*/",
        "\n",
        ";",
        "1",
    ]
)


@pytest.mark.parametrize("dialect", ALL)
@given(st.one_of(st.text(), st.lists(_PIECES).map(" ".join)))
def test_nothing_raises(dialect: str, text: str) -> None:
    lexicon = dialect_of(dialect).lexicon
    try:
        tokens = tokenize(text, lexicon)
    except Refused:
        return
    found = column_comments(text, tokens, lexicon)
    assert all(said == " ".join(said.split()) and said for said in found.values())
