"""`extract plan --format markdown`: what a reviewer reads below a pull request."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from extract_project.cli.files.plan_markdown import Told, markdown
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish

OLD = "/*---\nconsumers: [crm]\n---*/\nselect 1 as id, 'x' as town"
MALICE = "@everyone <img src=x> [link](http://evil) ``` | x"


def tokens(text: str) -> list[Token]:
    """What a Markdown renderer makes of it, with the inline tokens."""
    found = MarkdownIt("commonmark").enable("table").parse(text)
    return [inner for token in found for inner in (token, *(token.children or ()))]


def cells(text: str) -> list[str]:
    found = MarkdownIt("commonmark").enable("table").parse(text)
    return [
        "".join(child.content for child in after.children or ())
        for token, after in pairwise(found)
        if token.type == "td_open"
    ]


def test_a_comment_says_what_a_push_changes_and_for_whom(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/columns", OLD)
    write(tmp_path, "a/columns", OLD.replace("1 as id", "1::bigint as id"))
    write(tmp_path, "a/new", "select 1 as n")
    write(tmp_path, "a/typo", "/*---\nshedule: hourly\n---*/\nselect 1 as n")
    told = call("plan", tmp_path, "--format", "markdown", "--diff")
    assert told.exit_code == 1
    assert told.stdout.startswith("<!-- extract plan -->\n\n### Plan of a push\n")
    assert "1 new, 1 changed, 0 removed, 1 invalid" in told.stdout
    assert "**1 BREAKING**" in told.stdout
    assert cells(told.stdout) == [
        *("changed", "a/columns", "BREAKING, the data changes, 2 columns, the schema changes"),
        *("new", "a/new", "1 columns, nothing published yet"),
        *("invalid", "a/typo", ""),
    ]
    blocks = [each for each in tokens(told.stdout) if each.type == "fence"]
    assert "BREAKING for crm (consumer): 'id' is int64; it was int32" in blocks[0].content
    assert (blocks[1].info, "+select 1::bigint as id" in blocks[1].content) == ("diff", True)
    assert any("unknown key 'shedule': did you mean 'schedule'?" in b.content for b in blocks)
    assert call("plan", tmp_path, "--format", "markdown").stdout.count("```diff") == 0


def test_what_a_file_says_is_shown_and_not_rendered() -> None:
    told = Told("changed", MALICE, MALICE, [MALICE], f"BREAKING for {MALICE}", [f"+{MALICE}"])
    text = markdown("s3://b/sql: 1 changed", [told])
    foreign = [
        each.content
        for each in tokens(text)
        if each.type in ("text", "html_inline", "link_open") or each.type.startswith("html_block")
    ]
    assert not [each for each in foreign if "everyone" in each or "img" in each or "evil" in each]
    assert all(MALICE in each for each in cells(text)[1:])
    assert len(cells(text)) == 3


def test_a_large_plan_is_a_comment_that_is_accepted() -> None:
    diff = [f"+select {number}" for number in range(1_000)]
    told = [Told("new", f"a/b{n}", "2 columns", ["x" * 100], "", diff) for n in range(100)]
    text = markdown("s3://b/sql: 100 new", told)
    assert len(text) < 65_536
    assert "… 800 more lines" in text
    assert "more: `extract plan` has them." in text
    huge = [Told("new", f"a/b{n}", "2 columns", [], "", []) for n in range(5_000)]
    assert "It is too long to be shown here" in markdown("s3://b/sql: 5000 new", huge)
