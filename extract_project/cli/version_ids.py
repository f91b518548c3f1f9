"""VersionIds on a terminal: their beginning, as long as commands need it to find the version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from extract_project.cli.console import out
from extract_project.history.versions import list_history
from extract_project.store.protocol import Store

_SHORTEST, _SPARE = 8, 2


def shown_ids(version_ids: Collection[str], *, wide: bool) -> Mapping[str, str]:
    """What is shown of each of these VersionIds of one object.

    As many characters as tell them apart, and a few more, since older versions may not be among
    them. All characters in a pipe, or where `wide` is set.
    """
    if wide or not out.is_terminal:
        return {each: each for each in version_ids}
    length = _SHORTEST
    while len({each[:length] for each in version_ids}) < len(set(version_ids)):
        length += 1
    return {each: each[: length + _SPARE] for each in version_ids}


def shown_ids_of(
    store: Store, key: str, *, wide: bool, known: Iterable[str] = ()
) -> Mapping[str, str]:
    """What is shown of each VersionId of an object; `known` are those for a pipe, which needs no
    other.
    """
    if wide or not out.is_terminal:
        return {each: each for each in known}
    return shown_ids([each.version_id for each in list_history(store, key)], wide=wide)
