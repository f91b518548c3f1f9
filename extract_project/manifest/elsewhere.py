"""Extracts of other manifests, as far as those of one manifest depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from extract_project.manifest.extract import Extract

KEYS_OF_STARTS = frozenset({"enabled", "schedule", "timezone", "depends_on", "partitions"})
"""The keys of a header that say when an extract runs, and so when those downstream of it do."""


class Elsewhere(BaseModel):
    """What a manifest depends on in another one, which belongs to another code location.

    Two are equal when nothing has changed that decides when something downstream starts.
    """

    model_config = ConfigDict(frozen=True)

    manifest: str
    """URI of the other manifest."""
    extracts: tuple[Extract, ...] = ()
    """Those that are depended on, and all upstream of them. Of each only the path is known, and the
    keys of its header in `KEYS_OF_STARTS`: none of them runs here."""
    invalid: tuple[str, ...] = ()
    """Paths of those whose files are invalid there."""

    @property
    def paths(self) -> frozenset[str]:
        return frozenset([*(each.path for each in self.extracts), *self.invalid])


def extracts_elsewhere(elsewhere: Iterable[Elsewhere]) -> dict[str, Extract]:
    """The valid extracts of other manifests, by path."""
    return {extract.path: extract for each in elsewhere for extract in each.extracts}


def manifests_by_path(elsewhere: Iterable[Elsewhere]) -> Mapping[str, str]:
    """The URI of the manifest of each extract that is elsewhere."""
    return {path: each.manifest for each in elsewhere for path in each.paths}
