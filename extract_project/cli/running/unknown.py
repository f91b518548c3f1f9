"""Say which code locations gave no answer."""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.cli.console import BAD, Terminal, marked, out


def show_unknown(unknown: Mapping[str, str], told: Terminal = out) -> None:
    """One line for each; `unknown` has their names and the reasons."""
    for name, reason in unknown.items():
        why = reason.strip().partition("\n")[0]
        told.print(marked(BAD, f"nothing is known of the code location {name}: {why}"))
