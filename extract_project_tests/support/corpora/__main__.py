"""`make corpora CORPORA=DIR`: compare the guard with the oracles on foreign SQL."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from time import perf_counter

from extract_project.problem import Refused
from extract_project.sql.guard import read_statement
from extract_project.warehouses import dialect_of
from extract_project_tests.support.corpora.oracles import oracle_of
from extract_project_tests.support.corpora.repository import Repository
from extract_project_tests.support.corpora.statements import CORPORA, Corpus

_HEAD = ("corpus", "dialect", "statements", "read", "accepted", "of these with a warning",
         "read, refused", "acting", "acting, accepted", "not SQL, accepted", "ms each")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="checkouts, or bare git directories")
    parser.add_argument("--list", type=Path, help="file for what was refused or accepted wrongly")
    arguments = parser.parse_args()
    repositories = [Repository(path) for path in sorted(arguments.directory.iterdir())]
    lines: list[str] = []
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}")  # noqa: T201
    for corpus in CORPORA:
        for repository in repositories:
            statements = corpus.statements(repository)
            if statements:
                print(_row(corpus, statements, lines), flush=True)  # noqa: T201
    if arguments.list:
        arguments.list.parent.mkdir(exist_ok=True)
        arguments.list.write_text("\n".join(lines))


def _row(corpus: Corpus, statements: list[str], lines: list[str]) -> str:
    """Ask the oracle and the guard about each statement; differences are added to `lines`."""
    counts: Counter[str] = Counter()
    spent = 0.0
    with oracle_of(corpus.dialect) as kind_of:
        for statement in statements:
            kind = kind_of(statement)
            began = perf_counter()
            answer, why = _ask(statement, corpus.dialect)
            spent += perf_counter() - began
            counts[kind] += 1
            counts[f"{kind}, {answer}"] += 1
            counts[answer] += 1
            if (kind == "reads") != (answer != "refused"):
                shown = " ".join(statement.split())
                lines.append(f"{corpus.name}, {corpus.dialect}: {kind}, {answer}: {why}\n  {shown}")
    accepted = counts["reads, accepted"] + counts["reads, doubted"]
    cells = (
        corpus.name, corpus.dialect, len(statements), counts["reads"], accepted,
        counts["reads, doubted"], counts["reads, refused"], counts["acts"],
        counts["acts, accepted"] + counts["acts, doubted"],
        counts["invalid, accepted"] + counts["invalid, doubted"],
        f"{spent / len(statements) * 1000:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else cell for cell in cells)} |"


def _ask(statement: str, dialect: str) -> tuple[str, str]:
    try:
        found = read_statement(statement, dialect_of(dialect))
    except Refused as refused:
        problem = refused.problems[0]
        return "refused", f"{problem.line}:{problem.column}: {problem.message}"
    doubts = [warning.message for warning in found.warnings]
    return ("doubted", doubts[0]) if doubts else ("accepted", "")


if __name__ == "__main__":
    main()
