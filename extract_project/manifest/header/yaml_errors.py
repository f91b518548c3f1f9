"""Errors of a header that is not YAML: the problem in plain words, at its place."""

from __future__ import annotations

import re

import yaml

from extract_project.manifest.header.fences import Fenced
from extract_project.manifest.header.plain_yaml import UnwantedYAML
from extract_project.problem import Refused, refuse


def not_yaml(error: yaml.MarkedYAMLError, fenced: Fenced) -> Refused:
    """The refusal with advice, at the position of the cause."""
    problem, context = error.problem or "", error.context or ""
    if isinstance(error, UnwantedYAML):
        message, at_context = problem, False
    else:
        message, at_context = _in_plain_words(problem, context, fenced.name)
    mark = (error.context_mark if at_context else None) or error.problem_mark or error.context_mark
    place = fenced.place(mark.line, mark.column) if mark else (max(fenced.first_line - 1, 1), 1)
    return refuse(*place, message)


def _in_plain_words(problem: str, context: str, name: str) -> tuple[str, bool]:
    """The problem in plain words, and whether its cause is where the parser's context began."""
    for words, message, at_context in _EXPLAINED:
        found = re.search(words, f"{context}: {problem}")
        if found:
            return message.format(*found.groups(), name=name), at_context
    return f"{name} is not YAML: {problem}", False


_EXPLAINED = (
    (r"'\\t'", "a tab: YAML is indented with spaces; replace it", False),
    (r"while parsing a flow node", "'[' or '{{' is not closed", False),
    (
        r"while parsing a flow sequence",
        "'[' is not closed: expected ',' or ']' after a value",
        True,
    ),
    (
        r"while parsing a flow mapping",
        "'{{' is not closed: expected ',' or '}}' after a value",
        True,
    ),
    (r"while scanning a quoted scalar.*end of stream", "the quote is not closed", True),
    (
        r"unknown escape character '(.)'",
        "a backslash within double quotes begins an escape, but '\\{0}' is not one: use single "
        "quotes",
        False,
    ),
    (
        r"mapping values are not allowed",
        "unexpected ':': put a value that contains ': ' in quotes, and check that every line "
        "above has its own ':'",
        False,
    ),
    (
        r"could not find expected ':'",
        "this line has no ':' after its key: expected 'key: value'",
        True,
    ),
    (
        r"character '(.)' that cannot start any token",
        "a value cannot begin with '{0}': put it in quotes",
        False,
    ),
    (
        r"expected <block end>|block mapping|block collection",
        "this line does not match those above it: keys of one level begin in the same column, and "
        "each item of a list begins with '- '",
        False,
    ),
    (r"single document", "{name} contains '---': remove it", False),
)
