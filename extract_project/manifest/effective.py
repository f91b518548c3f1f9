"""Each key of an extract's header: its value, and where that value is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import yaml
from pydantic import BaseModel

from extract_project.manifest.extract import Extract
from extract_project.manifest.header.frontmatter import FrontMatter, Path
from extract_project.manifest.header.layers import BY_NAME
from extract_project.manifest.header.model import Header
from extract_project.units import format_duration

_DEFAULT = "Default: "
"""In a key's description, begins what an absent key means."""


@dataclass(frozen=True)
class EffectiveKey:
    """A key of the header, or a part of one whose parts come from different files."""

    key: str
    """`schedule`, `tags.domain`, `checks.min_rows`."""
    value: Any
    """The value as plain data. It is the default if the key is not written, or is `null`."""
    written_in: str | None
    """Where it is written, as `sales/_defaults.yaml:3:1`; None if it is not written."""
    meaning: str = ""
    """What the default means, if its value does not say so."""

    @property
    def text(self) -> str:
        """The value on one line, as it could be written."""
        if self.meaning:
            return self.meaning.replace("`", "")
        return "none" if self.value in (None, "", [], {}) else as_yaml(self.value)


def effective_keys(extract: Extract) -> list[EffectiveKey]:
    """Every key, in the order of the reference: with the values of the file and of its defaults."""
    front_matter = extract.front_matter  # which reads the text each time
    return [each for key in Header.model_fields for each in _parts(extract, front_matter, key)]


def _parts(extract: Extract, front_matter: FrontMatter, key: str) -> Iterator[EffectiveKey]:
    written = front_matter.data.get(key)
    if key == "checks" and written:
        for index, check in enumerate(extract.header.checks):
            path = ("checks", index) if isinstance(written, list) else ("checks",)
            rule = written[index] if isinstance(written, list) else written
            yield EffectiveKey(f"checks.{check.name}", rule, _place(extract, front_matter, path))
    elif key in BY_NAME and written:
        for name, value in written.items():
            if key != "params" or name in extract.header.params:
                place = _place(extract, front_matter, (key, name))
                yield EffectiveKey(f"{key}.{name}", value, place)
    elif key in front_matter.data:
        yield EffectiveKey(key, written, _place(extract, front_matter, (key,)))
    else:
        taken_back = (key,) in front_matter.places or (key,) in front_matter.inherited
        at = _place(extract, front_matter, (key,)) if taken_back else None
        meaning = (Header.model_fields[key].description or "").partition(_DEFAULT)[2]
        yield EffectiveKey(key, _plain(getattr(extract.header, key)), at, meaning)


def _place(extract: Extract, front_matter: FrontMatter, path: Path) -> str:
    inherited = front_matter.set_in(path)
    if inherited:
        return inherited
    line, column = front_matter.place(path)
    return f"{extract.file}:{line}:{column}"


def _plain(value: Any) -> Any:
    """A default as it could be written."""
    if isinstance(value, BaseModel):
        return {key: _plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, timedelta):
        return format_duration(value)
    return list(value) if isinstance(value, tuple) else value


def as_yaml(value: Any) -> str:
    """Plain data in YAML's short form: `{max: 2, delay: 30s}`; a text by itself has no quotes."""
    if isinstance(value, Mapping):
        items = (f"{_inner(key)}: {_inner(each)}" for key, each in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_inner, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return " ".join(str(value).split())


def _inner(value: Any) -> str:
    """A value within a list or a mapping: a text is in quotes if YAML would read another value."""
    written = as_yaml(value)
    if not isinstance(value, str):
        return written
    try:
        is_plain = yaml.safe_load(f"[{written}]") == [value]
    except yaml.YAMLError:
        is_plain = False
    return written if is_plain else json.dumps(value, ensure_ascii=False)


def as_json(value: Any) -> Any:
    """Plain data as JSON has it: exact decimals and dates are text."""
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_json(each) for each in value]
    return str(value) if isinstance(value, Decimal | date) else value
