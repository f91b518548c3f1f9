"""Who is hit by a change: the consumers of an extract, and the extracts that depend on it.

Only identical columns are safe. One that is removed, renamed or of another type breaks those who
use it, and so does one that may be NULL from now on, and an object that is published elsewhere or
no longer. A new column breaks nobody who reads columns by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.manifest.extract import Extract
from extract_project.planning.describe import Described
from extract_project.planning.plan import Planned

_BREAKING = ("removed", "renamed", "retyped", "nullable")


@dataclass(frozen=True)
class Breaking:
    """A breaking change, and those whom it hits."""

    changes: tuple[str, ...]
    consumers: tuple[str, ...]
    extracts: tuple[str, ...]

    def __str__(self) -> str:
        who = [
            f"{', '.join(names)} ({what})"
            for names, what in (
                (self.consumers, "consumer" if len(self.consumers) == 1 else "consumers"),
                (self.extracts, "depends on it" if len(self.extracts) == 1 else "depend on it"),
            )
            if names
        ]
        return f"BREAKING for {' and '.join(who)}: {'; '.join(self.changes)}"


def breaking(planned: Planned, described: Described | None) -> Breaking | None:
    """What a push breaks; None if it breaks nothing, or nobody is known to read it."""
    files = [each for each in (planned.before, planned.after) if isinstance(each, Extract)]
    consumers = tuple(dict.fromkeys(name for each in files for name in each.header.consumers))
    changes = tuple(_changes(planned, described))
    if not changes or not (consumers or planned.dependents):
        return None
    return Breaking(changes, consumers, planned.dependents)


def _changes(planned: Planned, described: Described | None) -> list[str]:
    before, after = planned.before, planned.after
    if planned.change == "removed":
        return ["it gets no new versions"]
    found = []
    if isinstance(before, Extract) and isinstance(after, Extract):
        was, now = (_places(each) for each in (before, after))
        if not set(was) <= set(now):
            found.append(f"it is published as {' and '.join(now)}; it was {' and '.join(was)}")
    for change in described.difference.changes if described else ():
        if change.breaking or change.kind in _BREAKING:
            found.append(change.words)
    return found


def _places(extract: Extract) -> list[str]:
    """Where it is published: the path, and the destination."""
    return [f"{extract.published_path()} at {name!r}" for name in extract.header.to]
