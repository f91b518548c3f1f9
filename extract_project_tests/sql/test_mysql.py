"""What the guard makes of MySQL's and MariaDB's SQL."""

from __future__ import annotations

import pytest

from extract_project.problem import Refused
from extract_project.sql.guard import Statement, read_statement
from extract_project.sql.mysql import MySQL


def read(sql: str, *params: str) -> Statement:
    return read_statement(sql, MySQL(), params)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from shop.orders", ("shop.orders",)),
        ("select a from `Shop`.`my ``orders` -- x", ("Shop.my `orders",)),
        ("with x as (select 1 as a) select * from x join shop.y using (a)", ("shop.y",)),
        ("with recursive x as (select 1 as a union all select a + 1 from x) select * from x", ()),
        ("select \"from \\\" x\", 'it\\'s', 'a''b', `from` from t # from u", ("t",)),
        ("select 1--1, 2 -- from u\n from t", ("t",)),
        ("select /* from u /* */ 1 from t /*+ no from */", ("t",)),
        ("select /*+ max_execution_time(1000) */ a from t", ("t",)),
        ("select a->'$.b', a->>'$.from', a <=> null, a && b, a || b from t", ("t",)),
        ("(select a from t limit 1) union all (select a from u) order by 1", ("t", "u")),
        ("select a from t use index (i) left join u on t.a = u.a", ("t", "u")),
        ("select @@version, x'4f', b'01', 0x4f, 1e5, .5, 1., n'a', _latin1'a' from t", ("t",)),
        ("select replace(a, 'x', 'y'), insert(a, 1, 1, ''), truncate(b, 2) from t", ("t",)),
        ("select group_concat(distinct a order by b separator ', ') from t", ("t",)),
        ("select date_add(d, interval 1 day), extract(day from d) from t", ("t",)),
    ],
)
def test_what_a_query_reads(sql: str, tables: tuple[str, ...]) -> None:
    statement = read(sql)
    assert (statement.tables, statement.warnings) == (tables, ())


def test_a_name_is_a_parameter_unless_it_is_in_a_string_or_a_comment() -> None:
    sql = "select ':low', `:low`, \":low\" /* :low */ from t where b > :low # :low\n or c = :low"
    assert [each.start for each in read(sql, "low").placeholders] == [
        sql.index("> :low") + 2,
        sql.index("= :low") + 2,
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("insert into t select 1", "this file would run 'insert'"),
        ("replace into t select 1", "this file would run 'replace'"),
        ("with x as (select 1) delete from t", "would run 'delete'"),
        ("with x as (select 1) update t set a = 1", "would run 'update'"),
        ("set statement max_statement_time = 1 for select 1", "would run 'set'"),
        ("handler t open", "would run 'handler'"),
        ("do sleep(1)", "would run 'do'"),
        ("call p()", "would run 'call'"),
        ("show tables", "would run 'show'"),
        ("explain analyze select 1", "would run 'explain'"),
        ("load data infile 'x' into table t", "would run 'load'"),
        ("select 1; drop table t", "a second statement starts here, with 'drop'"),
        ("select '\\'; drop table t; --'; drop table u", "a second statement starts here"),
        ('select "\\"; drop table t; --"; drop table u', "a second statement starts here"),
        ("select 1 --1; drop table t", "a second statement starts here"),
        ("select 1 --\n; drop table t", "a second statement starts here"),
        ("select 1 # a\r; drop table t\n; drop table u", "a second statement starts here"),
        ("select a into outfile '/tmp/x' from t", "would run 'into'"),
        ("select a from t into dumpfile '/tmp/x'", "would run 'into'"),
        ("select a from t into @x", "would run 'into'"),
        ("select 1.into outfile '/tmp/x'", "'1.into' is a number with something behind it"),
        ("select 1e5into outfile '/tmp/x'", "'1e5into' is a number with something behind it"),
        ("select t.1into outfile '/tmp/x' from t", "is a number with something behind it"),
        ("select $$ ' $$ into outfile '/tmp/x' -- '", "begins with '$'"),
        ("select $a$ ' $a$ into outfile '/tmp/x' -- '", "begins with '$'"),
        ("select \\Ninto outfile '/tmp/x'", "a backslash stands outside of a string"),
        ("select 1 /*! into outfile '/tmp/x' */", "the engine does not skip this comment"),
        ("select 1 /*!50001 into outfile '/tmp/x' */", "the engine does not skip this comment"),
        ("select 1 /*M! into outfile '/tmp/x' */", "the engine does not skip this comment"),
        ("select 1 /*M!100501 , sleep(9) */", "the engine does not skip this comment"),
        ("/*! set @x = 1; */ select 1", "the engine does not skip this comment"),
        ("select 1 /* /*! */ , sleep(1) -- */", "waits: an extract may only read"),
        ("select /*+ SET_VAR(sql_mode = 'ANSI_QUOTES') */ 1", "does not skip this comment"),
        ("select /*+ no_icp(t)\n set_var (time_zone = '+09:00') */ 1", "does not skip this"),
        ("select a from t for update", "would run 'for update'"),
        ("select a from t for share skip locked", "would run 'for share'"),
        ("select a from t lock in share mode", "would run 'lock in share mode'"),
        ("select a from (select a from t for update) x", "would run 'for update'"),
        ("select @x := 1", "a variable is set here"),
        ("select a, @n := @n + 1 from t, (select @n := 0) z", "a variable is set here"),
        ("select sleep(10)", "waits: an extract may only read"),
        ("select SLEEP (10)", "waits: an extract may only read"),
        ("select `sleep`(10)", "waits: an extract may only read"),
        ("select sleep/* */(10)", "waits: an extract may only read"),
        ("select a from t where benchmark(1e9, md5('a'))", "waits: an extract may only read"),
        ("select get_lock('a', 10)", "takes or gives back a lock"),
        ("select release_all_locks()", "takes or gives back a lock"),
        ("select load_file('/etc/passwd')", "reads a file of the server"),
        ("select nextval(s)", "changes a sequence"),
        ("select next value for s", "a number is taken from a sequence here"),
        ("select sys_exec('id')", "starts a program"),
        ("select lambda_async('arn', '{}')", "calls AWS Lambda"),
        ("select group_replication_set_as_primary('a')", "acts on the replication group"),
        ("select keyring_key_fetch('k')", "reads or changes the server's keys"),
        ("select spider_direct_sql('drop table t', 'x', '')", "runs SQL on another server"),
        ("select * from mysql.user", "'mysql.user' holds passwords or rights"),
        ("select * from `MySQL` . `global_priv`", "holds passwords or rights"),
        ("select * from t procedure analyse(10)", "would run 'procedure'"),
        ("select `a", "the quoted name that begins here is not closed"),
        ("select 'a\\'", "the string that begins here is not closed"),
        ("select /* a", "the comment that begins here is not closed"),
        ("select ? from t", "'?' is not a parameter"),
        ("select sleep\u00a0(1)", "is not allowed outside of a string"),
    ],
)
def test_g7_what_does_more_than_read_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        read(sql)
    assert reason in str(raised.value)


def test_g7_a_comment_that_the_server_skips_may_look_like_one_that_it_does_not() -> None:
    read("select '/*! a */', \"/*! b */\", `/*! c` /* /*! d */ from t # /*! e */\n -- /*! f */")
