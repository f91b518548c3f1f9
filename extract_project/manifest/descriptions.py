"""What the columns of an extract mean: from its header, else from comments in its SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from extract_project.manifest.header.frontmatter import Path
from extract_project.manifest.header.model import Header
from extract_project.problem import suggestion


def descriptions(header: Header, comments: Mapping[str, str]) -> dict[str, str]:
    """The description of each column that has one. `columns` comes before `describe`, and that
    before `comments`; names are equal but for case, as in a result.
    """
    declared = {name: column.description for name, column in (header.columns or {}).items()}
    found: dict[str, tuple[str, str]] = {}
    for source in (comments, header.describe, declared):
        found |= {name.casefold(): (name, text) for name, text in source.items() if text}
    spelled = {name.casefold(): name for name in declared}
    return {spelled.get(key, name): text for key, (name, text) in found.items()}


def undescribable(header: Header, columns: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """The names in `describe` that the result lacks: header path, text of the warning.

    Nothing, while the columns are unknown.
    """
    known = {column.casefold() for column in columns}
    for name in header.describe:
        if known and name.casefold() not in known:
            yield (
                ("describe", name),
                f"'describe' names column {name!r}, which the result does not have: "
                f"{suggestion(name, columns)}",
            )
