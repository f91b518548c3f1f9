"""Problems of a SQL file, with their positions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One fault at a line and column of a file, both from 1."""

    model_config = ConfigDict(frozen=True)

    line: int
    column: int
    message: str
    defaults: str = ""
    """The defaults file that it is in, as in `sales/_defaults.yaml`; empty: in the SQL file."""

    def at(self, path: str) -> str:
        """`sales/orders.sql:4:3: unknown key 'shedule': did you mean 'schedule'?`

        `path` is the SQL file's.
        """
        return f"{self.defaults or path}:{self.line}:{self.column}: {self.message}"


class Refused(Exception):
    """Parsing cannot go on: the file is an invalid extract, for these reasons."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def refuse(line: int, column: int, message: str) -> Refused:
    return Refused(Problem(line=line, column=column, message=message))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean 'schedule'?` if a known word is close, else the list of known words."""
    choices = sorted(known)
    close = difflib.get_close_matches(word.lower(), choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"expected one of {', '.join(choices)}"


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column (from 1) of a character offset."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1
