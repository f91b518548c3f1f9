"""Compare two schemas, and tell whether the change breaks readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from extract_project.schema.spelling import spelled

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["added", "removed", "renamed", "moved", "retyped", "nullable"]


@dataclass(frozen=True)
class Place:
    """A column of a schema; positions count from 1."""

    name: str
    type: pa.DataType
    nullable: bool
    position: int
    after: str | None
    """The name of the column before it; None for the first."""


@dataclass(frozen=True)
class ColumnChange:
    """The change of one column. An added column has no `before`, a removed one no `after`."""

    kind: Kind
    before: Place | None
    after: Place | None
    breaking: bool
    """Whether readers of the old schema may fail, or confuse columns."""

    def __str__(self) -> str:
        return f"{'breaking' if self.breaking else 'widening'}: {self.words}{self._way_back}"

    @property
    def _way_back(self) -> str:
        """The end of the message: the header keys that restore the old type; empty if none does."""
        from extract_project.schema.narrowed import keeping_keys

        if self.kind != "retyped" or self.before is None or self.after is None:
            return ""
        keys = keeping_keys(self.before.type, self.after.type)
        kept = " and ".join(f"'{key}'" for key in keys)
        restore = "restores" if len(keys) == 1 else "restore"
        return f"; {kept} in the header {restore} the old type" if keys else ""

    @property
    def words(self) -> str:
        """`'total' is text; it was int64`"""
        old, new = self.before, self.after
        if old is None:
            assert new is not None
            where = f"after {new.after!r}" if new.after else "at the front"
            return f"{new.name!r}, {spelled(new.type)}, is new, {where}"
        if new is None:
            return f"{old.name!r}, {spelled(old.type)}, is gone"
        if self.kind == "renamed":
            return f"{new.name!r} replaces {old.name!r}"
        if self.kind == "moved":
            return f"{new.name!r} is column {new.position}; it was column {old.position}"
        if self.kind == "nullable":
            return f"{new.name!r} may be NULL; it was never NULL"
        return f"{new.name!r} is {spelled(new.type)}; it was {spelled(old.type)}"


@dataclass(frozen=True)
class SchemaChange:
    """All differences, in the order of the columns; empty if the schemas are equal."""

    changes: tuple[ColumnChange, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def breaking(self) -> bool:
        return any(change.breaking for change in self.changes)

    @property
    def retyped(self) -> list[tuple[Place, Place]]:
        """The columns that have another type: before and after."""
        retyped = [each for each in self.changes if each.kind == "retyped"]
        return [(each.before, each.after) for each in retyped if each.before and each.after]

    def lines(self) -> list[str]:
        """One line per difference: `breaking: 'total' is text; it was int64`."""
        return [str(change) for change in self.changes]


def compare_schemas(
    before: pa.Schema, after: pa.Schema, *, by_position: bool = False
) -> SchemaChange:
    """Compare names, order, types, and which columns are never NULL.

    A column that becomes never NULL is not a difference, and neither is a description.
    `by_position`: readers find columns by position, as readers of CSV often do, not by name. Then a
    column that is inserted before others, or moves, breaks them.
    """
    changes = _changes(_places(before), _places(after), by_position)
    return SchemaChange(tuple(sorted(changes, key=_position)))


def _changes(
    before: Sequence[Place], after: Sequence[Place], by_position: bool
) -> Iterator[ColumnChange]:
    old = {place.name: place for place in before}
    new = {place.name: place for place in after}
    last_kept = max((p.position for p in after if p.name in old), default=0)
    for tag, i1, i2, j1, j2 in SequenceMatcher(
        None, list(old), list(new), autojunk=False
    ).get_opcodes():
        if tag == "equal":
            continue
        gone = [place for place in before[i1:i2] if place.name not in new]
        come = [place for place in after[j1:j2] if place.name not in old]
        for was, now in _renamed(gone, come):
            gone.remove(was)
            come.remove(now)
            yield ColumnChange("renamed", was, now, breaking=True)
            yield from _retyped(was, now)
        for place in gone:
            yield ColumnChange("removed", place, None, breaking=True)
        for place in come:
            inserted = place.position < last_kept
            yield ColumnChange("added", None, place, breaking=by_position and inserted)
        for place in after[j1:j2]:
            if place.name in old:
                yield ColumnChange("moved", old[place.name], place, breaking=by_position)
    for name, place in new.items():
        if name in old:
            yield from _retyped(old[name], place)


def _renamed(gone: Sequence[Place], come: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Pairs of a removed and an added column that are one renamed column. They have the same type,
    or the same name but for its case.
    """
    return [
        (was, now)
        for was, now in zip(gone, come, strict=False)
        if was.type.equals(now.type) or was.name.casefold() == now.name.casefold()
    ]


def _retyped(was: Place, now: Place) -> Iterator[ColumnChange]:
    from extract_project.schema.exact import is_widening

    if not was.type.equals(now.type):
        yield ColumnChange("retyped", was, now, breaking=not is_widening(was.type, now.type))
    if now.nullable and not was.nullable:
        yield ColumnChange("nullable", was, now, breaking=True)


def _places(schema: pa.Schema) -> list[Place]:
    names = [None, *schema.names]
    return [
        Place(field.name, field.type, field.nullable, index + 1, names[index])
        for index, field in enumerate(schema)
    ]


def _position(change: ColumnChange) -> int:
    place = change.after or change.before
    assert place is not None
    return place.position
