"""What was read for earlier answers and does not change, so that it is not read again."""

from __future__ import annotations

from dataclasses import dataclass, field

from extract_project.orchestration.failed.attempts import Explanations
from extract_project.orchestration.names.latest import Materializations


@dataclass(frozen=True)
class ReadBefore:
    """It is shared by all who read the facts of one code location."""

    explanations: Explanations = field(default_factory=Explanations)
    """Of failed attempts."""
    materializations: Materializations = field(default_factory=Materializations)
