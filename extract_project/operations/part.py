"""The parts of the page, one for each manifest whose extracts are published in one place.

A code location brings its own part up to date, and leaves those of others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict

from extract_project.operations.activity import Activity
from extract_project.status.facts import Facts

_OLD = timedelta(minutes=25)
"""A part is brought up to date every ten minutes, even if nothing has changed."""


class Part(BaseModel):
    """The state of one manifest's extracts, and what they have done."""

    model_config = ConfigDict(frozen=True)

    manifest: str
    """Its URI."""
    facts: Facts
    activity: Activity

    @property
    def paths(self) -> Set[str]:
        return self.facts.extracts.keys()

    def is_old(self, now: datetime) -> bool:
        """Whether its code location has ceased to bring it up to date."""
        return now - self.facts.deployment.at > _OLD


class Parts(BaseModel):
    """All of them, by the URIs of their manifests."""

    model_config = ConfigDict(frozen=True)

    parts: tuple[Part, ...]

    @property
    def names(self) -> Sequence[str]:
        return [each.manifest for each in self.parts]

    def of(self, manifest: str) -> Part | None:
        return next((each for each in self.parts if each.manifest == manifest), None)

    def without(self, name: str) -> Self:
        return self._with(each for each in self.parts if each.manifest != name)

    def with_part(self, part: Part) -> Self:
        """With this part, in place of what was known of its manifest.

        An old part whose extracts are all in this one is of a manifest that has moved: it goes.
        """
        others = self.without(part.manifest).parts
        now, paths = part.facts.deployment.at, part.paths
        return self._with(
            [*(each for each in others if not each.is_old(now) or each.paths - paths), part]
        )

    def _with(self, parts: Iterable[Part]) -> Self:
        found = sorted(parts, key=lambda each: each.manifest)
        return self.model_copy(update={"parts": tuple(found)})
