"""Who is hit by a change of an extract: its consumers, and the extracts and assets downstream.

Only identical columns are safe. One that is removed, renamed or of another type breaks those who
use it, and so does one that may be NULL from now on, and an object that is published elsewhere or
no longer. A new column breaks nobody who reads columns by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from extract_project.manifest.extract import Extract
from extract_project.planning.describe import Described
from extract_project.planning.plan import Planned
from extract_project.schema.change import ColumnChange

_BREAKING = ("removed", "renamed", "retyped", "nullable")
_SHIFTING = ("added", "removed", "moved")


@dataclass(frozen=True)
class Change:
    """One change that may break readers."""

    words: str
    column: str | None
    """The only column, by its published name, whose readers it can break; None if it can break
    every reader."""


@dataclass(frozen=True)
class DownstreamAsset:
    """An asset in Dagster that is no extract and depends on one."""

    key: str
    """Its asset key, with `/` between the parts."""
    columns: tuple[str, ...] | None
    """The columns of the extract that it uses, by its column lineage; None if that is not known."""


@dataclass(frozen=True)
class Downstream:
    """What depends on an extract, beside the extracts of its own code location."""

    assets: tuple[DownstreamAsset, ...] = ()
    """Those that are no extracts."""
    extracts: tuple[str, ...] = ()
    """The paths of extracts of other code locations."""


@dataclass(frozen=True)
class Breaking:
    """A breaking change, and those whom it hits."""

    changes: tuple[str, ...]
    consumers: tuple[str, ...]
    extracts: tuple[str, ...]
    assets: tuple[DownstreamAsset, ...]
    """Each with the changed columns that it uses."""

    def __str__(self) -> str:
        unknown = [each.key for each in self.assets if each.columns is None]
        who = [
            *_named(self.consumers, "consumer", "consumers"),
            *_named(self.extracts, "depends on it", "depend on it"),
            *_named(
                unknown,
                "Dagster asset, which may use any column",
                "Dagster assets, which may use any column",
            ),
            *(_exactly(each) for each in self.assets if each.columns is not None),
        ]
        listed = f"{', '.join(who[:-1])} and {who[-1]}" if len(who) > 1 else who[0]
        return f"BREAKING for {listed}: {'; '.join(self.changes)}"


def breaking(
    planned: Planned, described: Described | None, assets: Iterable[DownstreamAsset] = ()
) -> Breaking | None:
    """What a push breaks; None if it breaks nothing, or nobody is known to read it.

    `assets` are those in Dagster that depend on the extract.
    """
    files = [each for each in (planned.before, planned.after) if isinstance(each, Extract)]
    consumers = tuple(dict.fromkeys(name for each in files for name in each.header.consumers))
    found = changes(planned, described)
    hit = tuple(_hit(assets, found))
    if not found or not (consumers or planned.dependents or hit):
        return None
    words = tuple(each.words for each in found)
    return Breaking(words, consumers, planned.dependents, hit)


def changes(planned: Planned, described: Described | None) -> list[Change]:
    """What may break readers, whoever they are."""
    before, after = planned.before, planned.after
    if planned.change == "removed":
        return [Change("it gets no new versions", None)]
    found = []
    if isinstance(before, Extract) and isinstance(after, Extract):
        was, now = (_places(each) for each in (before, after))
        if not set(was) <= set(now):
            words = f"it is published as {' and '.join(now)}; it was {' and '.join(was)}"
            found.append(Change(words, None))
    if described:
        found += [
            Change(each.words, _column(each, by_position=described.by_position))
            for each in described.difference.changes
            if each.breaking or each.kind in _BREAKING
        ]
    return found


def _column(change: ColumnChange, *, by_position: bool) -> str | None:
    """The column whose readers break; None if the columns behind it are read wrongly too."""
    if change.before is None or (by_position and change.kind in _SHIFTING):
        return None
    return change.before.name


def _hit(assets: Iterable[DownstreamAsset], found: Sequence[Change]) -> Iterator[DownstreamAsset]:
    """The assets that a change can break, each with the changed columns that it uses."""
    changed = {each.column.casefold() for each in found if each.column is not None}
    everybody = any(each.column is None for each in found)
    for each in assets:
        used = each.columns
        if used is not None:
            used = tuple(name for name in used if name.casefold() in changed)
        if used is None or used or everybody:
            yield DownstreamAsset(each.key, used)


def _named(names: Sequence[str], one: str, many: str) -> list[str]:
    return [f"{', '.join(names)} ({one if len(names) == 1 else many})"] if names else []


def _exactly(asset: DownstreamAsset) -> str:
    used = ", ".join(map(repr, asset.columns or ()))
    return f"{asset.key} (Dagster asset{f', which uses {used}' if used else ''})"


def _places(extract: Extract) -> list[str]:
    """Where it is published: the path, and the destination."""
    return [f"{extract.published_path()} at {name!r}" for name in extract.header.to]
