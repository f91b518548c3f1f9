"""Extracts whose objects could have the same key: the first in the order of paths keeps it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from extract_project.formats.registry import EXTENSIONS
from extract_project.layout import PAGES, PARTS_MANIFEST
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.path import DIGIT
from extract_project.store.destination import DATA

_PAGES_FOLDER = "catalog/"
_DIGITS = re.compile(f"[0-9{DIGIT}]")


class Claims:
    """The paths that the objects of some extracts have, in each destination.

    Only a `path` in a header can collide. An extract without one claims its path in every format,
    because readers find it by its name alone.
    """

    def __init__(self, extracts: Iterable[Extract]) -> None:
        self._is_needed = any(each.header.path for each in extracts)
        self._exact: dict[tuple[str, str], Extract] = {}
        self._by_shape: dict[tuple[str, str], list[tuple[str, Extract]]] = defaultdict(list)

    def claim(self, extract: Extract) -> tuple[Extract, str] | None:
        """The extract that has a path already, and this path; None once all have been claimed."""
        if not self._is_needed:
            return None
        forms = list(dict.fromkeys(_forms(extract)))
        for form in forms:
            for name in extract.header.to:
                other = self._other(name, form)
                if other and (other.header.path or extract.header.path):
                    return other, form.replace(DIGIT, "0")
        for form in forms:
            for name in extract.header.to:
                self._exact[name, form] = extract
                self._by_shape[name, _DIGITS.sub("0", form)].append((form, extract))
        return None

    def _other(self, destination: str, form: str) -> Extract | None:
        exact = self._exact.get((destination, form))
        if exact:
            return exact
        alike = self._by_shape.get((destination, _DIGITS.sub("0", form)), ())
        return next((each for other, each in alike if _meet(other, form)), None)


def page_name(extract: Extract) -> str | None:
    """The page below EXTRACT_DATA with whose name the name of an object begins; None for none."""
    if DATA not in extract.header.to or not extract.naming.form().startswith(_PAGES_FOLDER):
        return None
    return next((page for page in PAGES for form in _forms(extract) if form.startswith(page)), None)


def _forms(extract: Extract) -> Iterator[str]:
    header, naming = extract.header, extract.naming
    partitions = header.partitions
    if partitions is not None and partitions.type == "static":
        yield from (naming.form(key) for key in partitions.keys)
        return
    yield naming.form()
    if header.path is None and partitions is None:
        yield from (f"{extract.path}{extension}" for extension in sorted(EXTENSIONS))
        yield f"{extract.path}/{PARTS_MANIFEST}"


def _meet(one: str, other: str) -> bool:
    """Whether two forms of one shape have a path in common."""
    return all(a == b or DIGIT in (a, b) for a, b in zip(one, other, strict=True))
