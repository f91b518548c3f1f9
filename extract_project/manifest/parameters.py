"""`:name` in SQL: found where it stands for a value, bound by the warehouse, never spliced.

Strings, comments, quoted identifiers and dollar-quoted text are the tokenizer's business. A colon
is no placeholder when it is half of `::`, when it follows a value without a space (a JSON path,
`v:name`; a slice, `a[1:n]`; a struct, `{'k':v}`), or when a space follows it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot.tokenizer_core import Token, TokenType

from extract_project.manifest.incremental import WATERMARK
from extract_project.manifest.partitions import END, KEY, START
from extract_project.manifest.problem import Problem, Refused, position, suggestion
from extract_project.warehouses.protocol import Placeholder

_VALUES = {
    *(TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER),
    *(TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE),
}


def find_placeholders(
    text: str, tokens: Sequence[Token], known: Collection[str]
) -> tuple[Placeholder, ...]:
    """Every `:name` of the text, in order; raises Refused for a name that has no value.

    `known` are the names that have one. `[:name]` is a slice unless the name is known.
    """
    found = []
    problems = []
    for before, colon, word in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if colon.token_type is not TokenType.COLON or word.start != colon.end + 1:
            continue
        name = text[word.start : word.end + 1]
        if not name.isidentifier() or _follows_value(before, colon):
            continue
        if name in known:
            found.append(Placeholder(name, colon.start, word.end + 1))
        elif before is None or before.token_type is not TokenType.L_BRACKET:
            line, column = position(text, colon.start)
            message = f"unknown parameter ':{name}': {_known(name, known)}"
            problems.append(Problem(line=line, column=column, message=message))
    if problems:
        raise Refused(*problems)
    return tuple(found)


def _follows_value(before: Token | None, colon: Token) -> bool:
    """Whether something that can have a path, a slice or a key ends before the colon.

    A word counts only without a space: `v:name` is a path, `limit :name` is not.
    """
    if before is None:
        return False
    if before.token_type in _VALUES:
        return True
    word = before.text[-1:].isalnum() or before.text[-1:] in ("_", "$", "}")
    return word and before.end + 1 == colon.start


def _known(name: str, known: Collection[str]) -> str:
    if name.startswith("partition_") and KEY not in known:
        return "this file has no 'partitions'; add 'partitions: daily' to its header"
    if name == WATERMARK:
        return "this file is not incremental; add 'incremental: {cursor: …}' to its header"
    if name in (START, END) and KEY in known:
        return "a list of partitions has no windows of time; use :partition_key"
    if not known:
        return f"this file has no 'params'; add 'params: {{{name}: …}}' to its header"
    return f"{suggestion(name, known)} (a value comes from 'params' in the header)"
