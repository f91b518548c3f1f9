"""The context that all extracts of one code location share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extract_project.manifest.elsewhere import Elsewhere
from extract_project.settings import Settings
from extract_project.store.stores import Folders


@dataclass(frozen=True)
class CodeLocation:
    """The settings, the folders, and the snapshot from which the definitions were made."""

    settings: Settings
    connect: Callable[[], Folders]
    snapshot_id: str
    elsewhere: tuple[Elsewhere, ...] = ()
    """What its extracts depend on in other code locations."""
