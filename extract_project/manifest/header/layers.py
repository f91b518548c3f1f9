"""A header in layers: the defaults of each folder from the root down, and the SQL file's own keys.

The nearest wins, key by key. `tags`, `params` and `describe` are merged name by name, `checks` are
added; a check replaces one of the same name from farther away. `null` takes back what comes from
farther away: `schedule: null`, `tags: {domain: null}`, `checks: null`, or `- not_null: null` for
all checks of a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from extract_project.checks import CHECKS
from extract_project.manifest.header.consistency import contradictions, faults_of_keys, idle_options
from extract_project.manifest.header.errors import explain
from extract_project.manifest.header.frontmatter import FrontMatter, Path
from extract_project.manifest.header.model import Header
from extract_project.problem import Refused

BY_NAME = ("tags", "params", "describe")
_TAKEN_BACK_BY_NAME = ("tags", "describe")
"""A parameter can have the value null."""


@dataclass(frozen=True)
class Layer:
    """The header of one file, or of several merged: as written, and typed."""

    front_matter: FrontMatter
    header: Header
    taken_back: frozenset[Path] = frozenset()
    """What it removes from the layers below: a key, a name in a key, a kind of check."""


EMPTY = Layer(FrontMatter({}, {}), Header())


def read_layer(front_matter: FrontMatter) -> Layer:
    """Validate one file's keys; raises Refused with every problem at its line and column."""
    cleaned, taken_back = _without_nulls(front_matter)
    header = _typed(cleaned)
    cleaned.require_none(faults_of_keys(header))
    return Layer(cleaned, header, taken_back)


def laid_over(layer: Layer, below: Layer) -> Layer:
    """One layer over another, each valid by itself."""
    if not below.front_matter.data:
        return Layer(layer.front_matter, layer.header)
    lower, upper = below.front_matter, layer.front_matter
    merged = _Building()
    merged.copy(upper, (), ())
    for key in dict.fromkeys((*lower.data, *upper.data)):
        if key == "checks":
            _add_checks(merged, layer, below)
        elif key in BY_NAME and key in upper.data and key in lower.data:
            _merge_names(merged, key, layer, lower)
        elif key in upper.data:
            merged.take(upper, (key,))
        elif (key,) not in layer.taken_back:
            merged.take(lower, (key,))
    for path in ((key,) for key in Header.model_fields if key not in merged.data):
        has = path in upper.places or path in upper.inherited
        merged.copy(upper if has else lower, path, path)  # of a key that was taken back
    front_matter = FrontMatter(merged.data, merged.places, upper.nested, inherited=merged.inherited)
    return Layer(front_matter, _typed(front_matter))


def require_consistent(layer: Layer) -> None:
    """Raise Refused if keys contradict each other; one may be the file's own, the other
    inherited.
    """
    own = layer.front_matter.places
    faults = [*contradictions(layer.header)]
    faults += [fault for fault in idle_options(layer.header) if fault[0] in own]
    found = [layer.front_matter.problem(*fault) for fault in faults]
    if found:
        raise Refused(*found)


def _typed(front_matter: FrontMatter) -> Header:
    try:
        return Header.model_validate(front_matter.data)
    except ValidationError as error:
        raise Refused(*explain(error, front_matter, Header)) from None


@dataclass
class _Building:
    """A front matter in the making."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    inherited: dict[Path, str] = field(default_factory=dict)

    def take(self, source: FrontMatter, path: Path) -> None:
        """A whole key, or a name of a key whose value is a mapping."""
        value: Any = source.data
        into = self.data
        for part in path[:-1]:
            value, into = value[part], into.setdefault(str(part), {})
        into[str(path[-1])] = value[path[-1]]
        self.take_places(source, path, path)

    def take_places(self, source: FrontMatter, old: Path, new: Path) -> None:
        """The places of a part and of all within it, which stands at `new` from now on."""
        depth = len(old)
        for path, place in source.places.items():
            if path[:depth] == old:
                self.places[(*new, *path[depth:])] = place
        for path, origin in source.inherited.items():
            if path[:depth] == old:
                self.inherited[(*new, *path[depth:])] = origin

    def copy(self, source: FrontMatter, old: Path, new: Path) -> None:
        """The place of one part alone."""
        if old in source.places:
            self.places[new] = source.places[old]
        elif old in source.inherited:
            self.inherited[new] = source.inherited[old]


def _merge_names(merged: _Building, key: str, layer: Layer, lower: FrontMatter) -> None:
    upper = layer.front_matter
    merged.data[key] = {}
    merged.copy(upper, (key,), (key,))
    for name in dict.fromkeys((*lower.data[key], *upper.data[key])):
        if name in upper.data[key]:
            merged.take(upper, (key, name))
        elif (key, name) not in layer.taken_back:
            merged.take(lower, (key, name))


def _add_checks(merged: _Building, layer: Layer, below: Layer) -> None:
    upper, lower = layer.front_matter, below.front_matter
    names = {check.name for check in layer.header.checks}
    kept = [] if ("checks",) in layer.taken_back else [
        index
        for index, check in enumerate(below.header.checks)
        if check.name not in names and ("checks", check.key) not in layer.taken_back
    ]  # fmt: skip
    if not kept and "checks" not in upper.data:
        return
    if kept and upper.data.get("checks") == [] and not _takes_back_checks(layer):
        raise upper.refuse(
            ("checks",),
            "'checks' is empty, and checks are added to those of the defaults: to take those back, "
            "write 'checks: null'",
        )
    checks: list[Any] = []
    merged.data["checks"] = checks
    merged.copy(upper if "checks" in upper.data else lower, ("checks",), ("checks",))
    for source, wanted in ((lower, kept), (upper, range(len(names)))):
        entries = list(_entries(source))
        for index in wanted:
            path, entry = entries[index]
            merged.take_places(source, path, ("checks", len(checks)))
            checks.append(entry)


def _takes_back_checks(layer: Layer) -> bool:
    return any(path[0] == "checks" for path in layer.taken_back)


def _entries(front_matter: FrontMatter) -> Iterator[tuple[Path, Any]]:
    """Each check with its path; a single one may stand without a list."""
    checks = front_matter.data.get("checks", [])
    if isinstance(checks, dict):
        yield ("checks",), checks
    else:
        for index, entry in enumerate(checks):
            yield ("checks", index), entry


def _without_nulls(front_matter: FrontMatter) -> tuple[FrontMatter, frozenset[Path]]:
    """Split the keys of a file: its values, and the nulls that take a default back."""
    nulls = {path for path in front_matter.nulls if path and path[0] in Header.model_fields}
    if not nulls:
        return front_matter, frozenset()
    taken_back = set[Path]()
    kept = _Building()
    kept.copy(front_matter, (), ())
    for key, value in front_matter.data.items():
        if (key,) in nulls:
            taken_back.add((key,))
            kept.copy(front_matter, (key,), (key,))
        elif key in _TAKEN_BACK_BY_NAME and isinstance(value, dict):
            names = {name for name in value if (key, name) in nulls}
            taken_back |= {(key, name) for name in names}
            kept.copy(front_matter, (key,), (key,))
            kept.data[key] = {}
            for name in value:
                if name not in names:
                    kept.take(front_matter, (key, name))
        elif key == "checks" and isinstance(value, list | dict):
            taken_back |= _keep_checks(kept, front_matter, nulls)
        else:
            kept.take(front_matter, (key,))
    return FrontMatter(
        kept.data, kept.places, front_matter.nested, inherited=kept.inherited
    ), frozenset(taken_back)


def _keep_checks(kept: _Building, front_matter: FrontMatter, nulls: Iterable[Path]) -> set[Path]:
    """Keep the checks that are some; the others, as in `- not_null: null`, are taken back."""
    taken_back = set[Path]()
    kept.copy(front_matter, ("checks",), ("checks",))
    checks: list[Any] = []
    kept.data["checks"] = checks
    for path, entry in _entries(front_matter):
        kinds = list(entry) if isinstance(entry, dict) else []
        if len(kinds) == 1 and kinds[0] in CHECKS and (*path, kinds[0]) in nulls:
            taken_back.add(("checks", kinds[0]))
        else:
            kept.take_places(front_matter, path, ("checks", len(checks)))
            checks.append(entry)
    return taken_back


def merge(layers: Sequence[Layer]) -> Layer:
    """The layers from the root down to the file, as one."""
    merged = EMPTY
    for layer in layers:
        merged = laid_over(layer, merged)
    return merged
