"""Find placeholders, `:name`, in SQL. The warehouse binds their values; text is never replaced.

A colon is also used in slices (`a[1 :n]`), structs (`{'k' :v}`), paths (`v:name`), lambdas and, in
DuckDB, aliases. All of these have a value on their left. So the token before the colon decides:
after a value it is not a placeholder, wherever the spaces are; after a sign, or after a word that a
value follows (`select`, `limit`, `then`), it is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from extract_project.problem import Problem, Refused, position
from extract_project.sql.query import Placeholder
from extract_project.sql.tokens import Token
from extract_project.sql.words import words

_BEFORE_A_VALUE = words(
    """
    all and any as between both by case distinct else escape except fetch for from glob having
    ilike in intersect is leading like limit minus not offset on or over placing qualify regexp
    return returning rlike select set similar some then to trailing union using values when where
    with
    """
)
"""Words that cannot be column names without quotes: a value follows, with or without a space."""
_OFTEN_BEFORE_A_VALUE = words(
    """
    at before div first groups interval mod next of overlaps preceding prior range rows start
    symmetric top uescape until within zone
    """
)
"""Words that can be column names too: a value follows if there is a space between."""


def find_placeholders(
    text: str, tokens: Sequence[Token], known: Collection[str], explain: Callable[[str], str]
) -> tuple[Placeholder, ...]:
    """Every `:name` of the text, in order; raises Refused for other forms of parameters.

    `known` are the names that have a value; `explain` says how another name can get one.
    `[:name]` is a slice unless the name is known.
    """
    found = []
    problems = list(_foreign(text, tokens))
    for i, word in enumerate(tokens[1:], start=1):
        if word.kind != "word" or not _is_colon_before(tokens, i):
            continue
        colon = tokens[i - 1]
        if word.text in known:
            found.append(Placeholder(word.text, colon.start, word.end))
        elif "[" not in [token.text for token in tokens[max(0, i - 2) : i]]:
            problems.append(
                _problem(text, colon, f"unknown parameter ':{word.text}': {explain(word.text)}")
            )
    if problems:
        raise Refused(*problems)
    return tuple(found)


def _is_colon_before(tokens: Sequence[Token], i: int) -> bool:
    """Whether a colon comes directly before a token, with no value before it."""
    colon = tokens[i - 1]
    return colon.text == ":" and colon.end == tokens[i].start and not ends_value(tokens, i - 2)


def ends_value(tokens: Sequence[Token], i: int) -> bool:
    """Whether a value can end with the token, so that a sign after it joins the two."""
    if i < 0:
        return False
    token = tokens[i]
    before = tokens[i - 1] if i else None
    if token.kind == "sign":
        in_slice = token.text == "-" and before is not None and before.text == ":"
        return token.text in (")", "]", "}") or in_slice
    if token.kind != "word":
        return True
    if before and (before.text == "." or (before.text == ":" and before.end == token.start)):
        return True  # a column name, or a step of a path
    if token.lower in _OFTEN_BEFORE_A_VALUE:
        return i + 1 < len(tokens) and tokens[i + 1].start == token.end
    return token.lower not in _BEFORE_A_VALUE


_FOREIGN_SIGNS = (":", "%", "=%", "{", "$", "<", "<%", "<%=", "&", "&&")
_TEMPLATE_SIGNS = ("{{", "{%", "{#", "${", "<%")


def _foreign(text: str, tokens: Sequence[Token]) -> Iterator[Problem]:
    """Parameters in the form of other tools: `?`, `$1`, `:1`, `%s`, `&x`, `{{ x }}`, `${x}`."""
    for i, token in enumerate(tokens):
        if token.kind == "parameter" or token.text == "?":
            if token.text != "?" or not (ends_value(tokens, i - 1) or _repeats(tokens, i)):
                yield _no_parameter(text, token, token.text)
            continue
        if token.kind != "sign" or token.text not in _FOREIGN_SIGNS or i + 1 == len(tokens):
            continue
        after = tokens[i + 1]
        value_before = ends_value(tokens, i - 1)
        if text.startswith(_TEMPLATE_SIGNS, token.start) and not value_before:
            yield _no_parameter(text, token, text[token.start : token.start + 2])
            return
        if after.start != token.end:
            continue
        if token.text == "=%" or (token.text == "%" and not value_before):
            printf = re.match(r"=?(%(\(\w+\))?s\b)", text[token.start : token.start + 80])
            if printf:
                yield _no_parameter(text, token, printf[1])
        elif token.text in ("&", "&&") and (after.kind == "word" or after.text == "&"):
            if not value_before:
                yield _no_parameter(text, token, token.text + after.text)
                return
        elif token.text == ":" and after.kind in ("number", "string", "name"):
            in_slice = i and tokens[i - 1].text in ("[", ":")
            if not in_slice and not value_before:
                yield _no_parameter(text, token, f":{after.text}")


def _repeats(tokens: Sequence[Token], i: int) -> bool:
    """Whether a `?` belongs to the sign before it, as in the pattern `a+?` of match_recognize."""
    before = tokens[i - 1]
    return i > 0 and before.end == tokens[i].start and before.text in ("+", "*", "?")


def _no_parameter(text: str, token: Token, shown: str) -> Problem:
    return _problem(
        text,
        token,
        f"{shown!r} is not a parameter: write ':name', with the name and its value under "
        f"'params' in the header",
    )


_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\$\{\w+\}", re.DOTALL)


def warnings_of_strings(
    text: str, tokens: Sequence[Token], known: Collection[str]
) -> Iterator[Problem]:
    """Warnings about strings that look like parameters."""
    for token in tokens:
        if token.kind != "string":
            continue
        template = _TEMPLATE.search(token.text)
        if template:
            yield _problem(
                text,
                token,
                f"this string contains {template.group()!r} and is sent unchanged: for a value, "
                f"write ':name', outside of quotes",
            )
        elif token.text[:2] == "':" and token.text[2:-1] in known:
            yield _problem(
                text, token, f"this is the text {token.text}, not the value: remove the quotes"
            )


def _problem(text: str, token: Token, message: str) -> Problem:
    line, column = position(text, token.start)
    return Problem(line=line, column=column, message=message)
