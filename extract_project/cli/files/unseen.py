"""Show what somebody else has written since this folder saw it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from extract_project.cli.console import BAD, err, marked
from extract_project.manifest.unseen import Unseen

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show_unseen(unseen: Sequence[Unseen], *, overwrite: bool) -> None:
    """Each file, and what changed: theirs and yours."""
    for each in unseen:
        err.print(marked(Text("!", "yellow") if overwrite else BAD, str(each)))
        for line in () if overwrite else each.lines():
            err.print(f"    {line}", style=_COLOURS.get(line[:1]))


def show_behind(names: Sequence[str]) -> None:
    """Files that are newer in the bucket, and that nobody changed here."""
    for name in names:
        err.print(
            marked(Text("!", "yellow"), f"{name} is newer in the bucket: left as it is there")
        )
