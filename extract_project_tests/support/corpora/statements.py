"""Extract the statements of each corpus from its own file format."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from extract_project.problem import Refused
from extract_project.sql.tokens import DUCKDB, POSTGRES, SNOWFLAKE, Lexicon, tokenize
from extract_project_tests.support.corpora.repository import Repository

LEXICONS = {"duckdb": DUCKDB, "postgres": POSTGRES, "snowflake": SNOWFLAKE}


@dataclass(frozen=True)
class Corpus:
    """The files of a repository with statements of a dialect, and the function that extracts
    them.
    """

    name: str
    dialect: str
    pattern: str
    cut: Callable[[str, Lexicon], Iterator[str]]

    def statements(self, repository: Repository) -> list[str]:
        """Each statement once."""
        lexicon = LEXICONS[self.dialect]
        found = (
            statement
            for _, text in repository.files(self.pattern)
            for statement in self.cut(text, lexicon)
        )
        return list(dict.fromkeys(found))


def _script(text: str, lexicon: Lexicon) -> Iterator[str]:
    """Statements that end with semicolons."""
    try:
        tokens = tokenize(text, lexicon)
    except Refused:
        return
    first = None
    for token in tokens:
        if token.text == ";":
            if first is not None:
                yield text[first : token.start]
            first = None
        elif first is None:
            first = token.start
    if first is not None:
        yield text[first : tokens[-1].end]


def _psql(text: str, lexicon: Lexicon) -> Iterator[str]:
    """A script for psql: without its own commands, and the data of COPY."""
    text = re.sub(r"(?im)^copy [^;]*\bfrom stdin[^;]*;\n(?:.*\n)*?\\\.$", "", text)
    text = re.sub(r"(?m)^\s*\\.*$", "", text)
    for statement in _script(text, lexicon):
        variables = re.search(r"(?<![:\w\]]):['\"{]?[A-Za-z_]", re.sub(r"'[^']*'", "''", statement))
        if "\\g" not in statement and "\\;" not in statement and not variables:
            yield statement


def _sqllogictest(text: str, lexicon: Lexicon) -> Iterator[str]:
    """Blocks of `statement ok` or `query …`, to a blank line or to `----`."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if not lines or not re.match(r"statement\s+(ok|maybe)|query\s", lines[0]):
            continue
        end = next((i for i, line in enumerate(lines) if line.startswith("----")), len(lines))
        statement = "\n".join(lines[1:end])
        if "${" not in statement:  # a variable of the test's own
            yield from _script(statement, lexicon)


def _python(text: str, lexicon: Lexicon) -> Iterator[str]:
    """The first argument of `self.validate_…("select …")`."""
    for node in ast.walk(ast.parse(text)):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or not node.args
        ):
            continue
        first = node.args[0]
        text_of = first.value if isinstance(first, ast.Constant) else None
        if node.func.attr.startswith("validate_") and isinstance(text_of, str):
            yield text_of


_FIXTURES = "test/fixtures/dialects/{}/.*\\.sql"
_TESTS = "tests/dialects/test_{}\\.py"
CORPORA = (
    Corpus("Postgres' regression tests", "postgres", r"src/test/regress/sql/.*\.sql", _psql),
    Corpus("DuckDB's tests", "duckdb", r"test/.*\.test(_slow)?", _sqllogictest),
    *(Corpus("sqlfluff's fixtures", d, _FIXTURES.format(d), _script) for d in LEXICONS),
    *(Corpus("sqlglot's tests", d, _TESTS.format(d), _python) for d in LEXICONS),
)
