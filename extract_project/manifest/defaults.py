"""The defaults of folders: `_defaults.yaml` holds header keys for every SQL file below it.

Each such file is read once, however many SQL files it reaches. An invalid one makes the SQL files
below it invalid, at its place, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from extract_project.manifest.fields.path import NAME as PATH_NAME
from extract_project.manifest.fields.path import pieces
from extract_project.manifest.header.fences import Fenced
from extract_project.manifest.header.frontmatter import FrontMatter, read_yaml
from extract_project.manifest.header.layers import EMPTY, Layer, laid_over, merge, read_layer
from extract_project.manifest.header.model import ONE_EXTRACT, Header
from extract_project.manifest.text import decode
from extract_project.problem import Problem, Refused, refuse, suggestion
from extract_project.source import DefaultsFile, SqlSource

NAME = "_defaults.yaml"
_ALMOST = re.compile(r"_defaults?(\.ya?ml)?", re.IGNORECASE)
_MOST_CHARACTERS = 1 << 15
"""Each extract that they reach keeps a copy."""


def is_defaults(path: str) -> bool:
    """Whether a file is meant as the defaults of its folder, by its name."""
    return _ALMOST.fullmatch(path.rpartition("/")[2]) is not None


@dataclass(frozen=True)
class Defaults:
    """One defaults file, understood."""

    read: DefaultsFile
    layer: Layer = EMPTY
    problems: tuple[Problem, ...] = ()

    @property
    def folder(self) -> str:
        return self.read.file.rpartition("/")[0]


def read_defaults(
    file: str, content: bytes, source: SqlSource, warehouses: Collection[str] | None
) -> Defaults:
    """Understand one file; never raises for what is in it (G6).

    `file` is its path below the manifest prefix; `warehouses` are those configured, where any are.
    """
    text = ""
    try:
        if file.rpartition("/")[2] != NAME:
            raise refuse(1, 1, f"this file is not read under this name: rename it to {NAME!r}")
        text = decode(content)
        read = DefaultsFile(file=file, source=source, text=text)
        return Defaults(read, _understand(read, warehouses))
    except Refused as refused:
        problems = tuple(
            problem.model_copy(update={"defaults": file}) for problem in refused.problems
        )
    return Defaults(DefaultsFile(file=file, source=source, text=text), EMPTY, problems)


def _understand(read: DefaultsFile, warehouses: Collection[str] | None) -> Layer:
    if len(read.text) > _MOST_CHARACTERS:
        message = f"this file has {len(read.text):,} characters: expected at most"
        raise refuse(1, 1, f"{message} {_MOST_CHARACTERS:,}")
    front_matter = read_yaml(Fenced(read.text.replace("\r\n", "\n"), 1, (), name="this file"))
    front_matter.require_none(
        ((key,), f"{key!r} is about one extract: write it in the SQL file")
        for key in front_matter.data
        if key in Header.model_fields and ONE_EXTRACT in Header.model_fields[key].metadata
    )
    layer = read_layer(front_matter)
    path = layer.header.path
    if path is not None and all(piece.field != PATH_NAME for piece in pieces(path)):
        message = "'path' has no {name}, so that all files below would have one object: add it"
        raise front_matter.refuse(("path",), message)
    name = layer.header.warehouse
    if warehouses is not None and name is not None and name.lower() not in warehouses:
        message = f"unknown warehouse {name.lower()!r}: {suggestion(name, warehouses)}"
        raise front_matter.refuse(("warehouse",), message)
    return replace(layer, front_matter=_inherited(layer.front_matter, read.file))


def _inherited(front_matter: FrontMatter, file: str) -> FrontMatter:
    """The defaults as files below inherit them: each position names the file of the defaults."""
    places = {
        path: f"{file}:{line}:{column}" for path, (line, column) in front_matter.places.items()
    }
    return FrontMatter(front_matter.data, {}, inherited=places)


@dataclass(frozen=True)
class Inherited:
    """All defaults that reach one folder, merged."""

    files: tuple[DefaultsFile, ...] = ()
    """The files, from the root down."""
    layer: Layer = EMPTY
    problems: tuple[Problem, ...] = ()

    @property
    def sources(self) -> tuple[SqlSource, ...]:
        """Which versions of them were read."""
        return tuple(each.source for each in self.files)

    def with_nearer(self, defaults: Defaults) -> Inherited:
        """These defaults, and those of a folder below."""
        problems = (*self.problems, *defaults.problems)
        layer = self.layer
        try:
            layer = layer if problems else laid_over(defaults.layer, layer)
        except Refused as refused:
            at = {"defaults": defaults.read.file}
            problems = tuple(each.model_copy(update=at) for each in refused.problems)
        return Inherited((*self.files, defaults.read), layer, problems)


NOTHING = Inherited()


@dataclass(frozen=True)
class DefaultsTree:
    """The defaults of a manifest, by folder."""

    by_folder: Mapping[str, Sequence[Defaults]] = field(default_factory=dict)
    above: Inherited = NOTHING
    """The defaults of the folders above the root."""
    _found: dict[str, Inherited] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, found: Iterable[Defaults], above: Inherited = NOTHING) -> DefaultsTree:
        by_folder: dict[str, list[Defaults]] = {}
        for each in sorted(found, key=lambda defaults: defaults.read.file):
            by_folder.setdefault(each.folder, []).append(each)
        return cls(by_folder, above)

    @property
    def files(self) -> list[DefaultsFile]:
        """Every one, whether or not it reaches a SQL file."""
        return [each.read for found in self.by_folder.values() for each in found]

    @property
    def problems(self) -> list[Problem]:
        """The problems of all of them, even of those that reach no SQL file."""
        return [
            problem
            for found in self.by_folder.values()
            for each in found
            for problem in each.problems
        ]

    def reaching(self, path: str) -> Inherited:
        """The defaults that apply to the file at a path."""
        return self._of(path.rpartition("/")[0]) if "/" in path else self._of("")

    def _of(self, folder: str) -> Inherited:
        found = self._found.get(folder)
        if found is None:
            found = self.above if not folder else self._of(folder.rpartition("/")[0])
            for each in self.by_folder.get(folder, ()):
                found = found.with_nearer(each)
            self._found[folder] = found
        return found


def merged_front_matter(own: FrontMatter, files: Sequence[DefaultsFile]) -> Layer:
    """The header of a file again, from the defaults that it was understood with.

    Raises Refused if this release does not understand them.
    """
    return merge([*(_understand(file, None) for file in files), read_layer(own)])
