"""docs/header.md: every key of a SQL file's header, from its pydantic model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extract_project.manifest.header.schema import header_schema
from reference.schema import Schema, properties, table, value

_HEAD = """\
# The header

<!-- Written by `make docs` from extract_project/manifest/header/model.py: change it there. -->

Every key of the header of a SQL file. All are optional. [Writing SQL files](sql-files.md) says
where the header stands and how to begin; editors complete the keys from
[extract-header.schema.json](extract-header.schema.json). All but `description` and `columns`
may also stand in the `_defaults.yaml` of a folder, for every SQL file below it; `null` takes such a
[default](sql-files.md#defaults-for-a-folder) back.

"""
_CHECKS = """
## Checks

An entry of `checks` is one of these. Each also takes `severity`: `error`, the default, refuses the
result; `warn` publishes it with a warning. [Checks](checks.md) has more about each.

"""


def header_page() -> str:
    """The page: all keys, the mappings that some of them take, and the checks."""
    schema = header_schema()
    models: Schema = schema["$defs"]
    checks = {name for name, model in models.items() if "severity" in model["properties"]}
    text = _HEAD + table(("key", "value", "default", "what it is for"), properties(schema))
    for name in sorted(models.keys() - checks):
        text += f"\n## {name}\n\n{models[name]['description']}\n\n"
        text += table(("key", "value", "default", "what it is for"), properties(models[name]))
    named = (models[name] for name in sorted(checks))
    return text + _CHECKS + table(("check", "value", "what it demands"), _checks(named))


def _checks(models: Iterator[Schema]) -> Iterator[Sequence[str]]:
    for model in models:
        key = model["required"][0]
        extra = [name for name in model["properties"] if name not in (key, "severity")]
        more = [f"`{name}`: {model['properties'][name]['description']}" for name in extra]
        purpose = " ".join([model["description"], *more])
        yield f"`{key}`", value(model["properties"][key]), purpose
