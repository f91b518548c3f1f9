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
from extract_project.manifest.header.frontmatter import FrontMatter, Path
from extract_project.problem import Problem, suggestion

_LONGEST_SHOWN = 60
_MOST_FAULTS = 30
_NOT_KEYS = {"function-before", "function-after", "[key]", "static"}

_TEAM = re.compile(r"[A-Za-z0-9_-]+")

_FORMS = {
    "description": "text",
    "owners": "'team:sales' or an e-mail address as in ana@acme.com, or a list of them",
    "tags": "a mapping of words, as in {domain: sales}",
    "group": "letters, digits and underscores, as in sales_eu",
    "enabled": "true or false",
    "schedule": "a cron as in '0 6 * * *', words as in 'daily at 06:00', or a list of them",
    "timezone": "a name as in Europe/Berlin",
    "depends_on": "the folder/name of another extract, or a list of them",
    "partitions": "hourly, daily, weekly, monthly, {type: daily, start: 2026-01-01}, or a list of "
    "keys as in [eu, us]",
    "path": "text, as in outbound/{name}_{partition:%Y%m%d}.csv, in quotes if it begins with '{'",
    "to": "the name of a destination, as in crm",
    "keys": "letters, digits, '_', '.', '+' and '-', at most 100 of them",
    "incremental": "{cursor: updated_at, lag: 1h}",
    "params": "a mapping of names (letters, digits, '_') and values, as in {region: EU, least: 5}",
    "compression": "zstd, snappy, lz4, gzip or none, some with a level, as in zstd(9)",
    "csv": "a mapping, as in {delimiter: ';', encoding: windows-1252}",
    "delimiter": "one character in quotes, as in ';', or the word tab",
    "header": "true or false",
    "null": "a short text in quotes, as in '\\N' or 'NULL'",
    "bom": "true or false",
    "date": "iso, or a pattern in quotes, as in '%d.%m.%Y'",
    "timestamp": "iso, or a pattern in quotes, as in '%Y-%m-%d %H:%M:%S'",
    "columns": "a mapping of names and types, as in {order_id: int64 not null}",
    "nullable": "true or false",
    "describe": "a mapping of columns and texts, as in {order_id: the shop's number}",
    "consumers": "a name as in crm, or a list of them",
    "split": "{rows: 1000000} or {bytes: 256MB}",
    "rows": "a whole number, as in {rows: 1000000}",
    "checks": "a list, each check after a dash: '- min_rows: 1'",
    "freshness": "a duration, as in 26h",
    "label": "letters, digits and underscores",
    "retries": "{max: 2, delay: 30s}",
    "max": "a whole number from 0 to 10",
    "pool": "letters, digits, '_', '-' and '/', as in heavy",
    "priority": "a whole number from -100 to 100",
}


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
        return f"{name!r} lacks {str(path[-1])!r}: expected {_form(written)}"
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
        return f"{where}no value: expected {_form(written)}"
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return f"{where}{_uncapitalized(item['msg'])}, not {_shown(given)}"
    if kind == "string_pattern_mismatch" and path[0] == "owners" and _TEAM.fullmatch(str(given)):
        return f"{where}{_shown(given)} has the wrong form: did you mean 'team:{given}'?"
    if kind == "string_pattern_mismatch" or "keys" in item["loc"]:
        form = _FORMS["keys"] if "keys" in item["loc"] else _form(written)
        return f"{where}{_shown(given)} has the wrong form: expected {form}"
    return f"{where}{_shown(given)} does not fit: expected {_form(written)}"


def _form(path: Path) -> str:
    """The expected form of the innermost key that has one, with an example."""
    forms = _FORMS
    if path[:1] == ("checks",):
        forms = _FORMS | {key: check.form for key, check in CHECKS.items()}
    return next((forms[str(part)] for part in reversed(path) if part in forms), "another value")


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
