"""The error texts of headers: key, line, what was expected, and a suggestion.

All error texts of the header are made here, except those in the module of a value's own form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from extract_project.checks import CHECKS
from extract_project.expected import Expected
from extract_project.manifest.header.frontmatter import FrontMatter, Path
from extract_project.problem import Problem, suggestion

_LONGEST_SHOWN = 60
_MOST_FAULTS = 30
_NOT_KEYS = {"function-before", "function-after", "[key]", "static"}

_TEAM = re.compile(r"[A-Za-z0-9_-]+")


def explain(
    error: ValidationError, front_matter: FrontMatter, header: type[BaseModel]
) -> Iterator[Problem]:
    """The problems of a header, each at its line and column; if there are very many, the first."""
    for item in error.errors(include_url=False)[:_MOST_FAULTS]:
        path = _path(item, front_matter)
        line, column = front_matter.place(path)
        message = _message(item, path, front_matter, header)
        yield Problem(line=line, column=column, message=message)


def _path(item: Any, front_matter: FrontMatter) -> Path:
    """The path of a fault in the file; pydantic's path also contains union members and models."""
    path = tuple(part for part in item["loc"] if part not in _NOT_KEYS)
    if path[:1] == ("checks",):
        path = (*path[:2], *path[3:])  # the third is the kind of check
    if path[:2] == ("partitions", "keys"):
        path = ("partitions", *path[2:])  # a plain list, in the file
    if item["type"] == "column_name":
        return (*path, item["ctx"]["column"])
    if path[:1] == ("columns",) and path not in front_matter.places:
        return path[:2]  # the short form has no `type` below the column
    return path


def _message(item: Any, path: Path, front_matter: FrontMatter, header: type[BaseModel]) -> str:
    kind, context, given = item["type"], item.get("ctx", {}), item["input"]
    written = path
    while written and written not in front_matter.places:
        written = written[:-1]
    name = next((part for part in reversed(written) if isinstance(part, str)), "")
    where = f"{name!r}: " if name else ""
    if kind == "extra_forbidden":
        return _unknown_key(path, header)
    if kind == "unknown_check":
        return _unknown_check(given)
    if kind == "missing":
        return f"{name!r} lacks {str(path[-1])!r}: expected {_form(written, header)}"
    if kind == "literal_error":
        choices = [each for each in _choices(context["expected"]) if each not in _NOT_KEYS]
        if given is None:
            return f"{where}no value: expected one of {', '.join(sorted(choices))}"
        return f"{where}{_shown(given)} is not a valid value: {suggestion(str(given), choices)}"
    if kind == "column_name":
        return str(context["error"])
    if kind == "value_error":
        return f"{where if path else ''}{context['error']}"
    if given is None:
        return f"{where}no value: expected {_form(written, header)}"
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return f"{where}{_uncapitalized(item['msg'])}, not {_shown(given)}"
    if kind == "string_pattern_mismatch" and path[0] == "owners" and _TEAM.fullmatch(str(given)):
        return f"{where}{_shown(given)} has the wrong form: did you mean 'team:{given}'?"
    if kind == "string_pattern_mismatch" or "keys" in item["loc"]:
        key = ("partitions", "keys") if "keys" in item["loc"] else written
        form = _form(key, header)
        return f"{where}{_shown(given)} has the wrong form: expected {form}"
    return f"{where}{_shown(given)} does not fit: expected {_form(written, header)}"


def _form(path: Path, header: type[BaseModel]) -> str:
    """The expected form of the innermost key that has one, with an example."""
    found = "another value"
    model: type[BaseModel] | None = header
    for part in path:
        if path[0] == "checks" and part in CHECKS:
            model, found = CHECKS[str(part)], CHECKS[str(part)].form
            continue
        field = model.model_fields.get(str(part)) if model else None
        if field is not None:
            marks = (mark.form for mark in field.metadata if isinstance(mark, Expected))
            found = next(marks, found)
            model = _model_in(field.annotation) or model
    return found


def _choices(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)


def _shown(value: Any) -> str:
    """A value as YAML, shortened to fit a line."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, Decimal | date):
        text = str(value)
    else:
        text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _unknown_key(path: Path, header: type[BaseModel]) -> str:
    word = str(path[-1])
    if path[0] == "checks":
        check = next((CHECKS[key] for key in map(str, path[:-1]) if key in CHECKS), None)
        value = check and _model_in(check.model_fields[check.key].annotation)
        if value is None and word in CHECKS:
            return f"{word!r} is a separate check: write it as another entry, after another dash"
        fields = (name for each in CHECKS.values() for name in each.model_fields)
        known = list(value.model_fields if value else dict.fromkeys(fields))
    else:
        part = _model_in(header.model_fields[str(path[0])].annotation) if len(path) > 1 else header
        known = [key for key in (part or header).model_fields if key != "keys"]
    return f"unknown key {word[:_LONGEST_SHOWN]!r}: {suggestion(word, known)}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a key's value, inside any annotation around it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _unknown_check(given: Any) -> str:
    word = str(next(iter(given), "") if isinstance(given, dict) else given)[:_LONGEST_SHOWN]
    if word in CHECKS:
        return f"check {word!r} has no rule: write '{word}: …'"
    return f"unknown check {word!r}: {suggestion(word, CHECKS)}"


def _uncapitalized(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
