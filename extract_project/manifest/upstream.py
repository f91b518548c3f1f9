"""What extracts depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from extract_project.manifest.extract import Extract


def with_all_upstream(
    downstream: Iterable[Extract], extracts: Mapping[str, Extract]
) -> Mapping[str, Extract]:
    """The given extracts, and all that they depend on, directly or indirectly; by path.

    `extracts` are those that there are. What is not among them is left out.
    """
    found: dict[str, Extract] = {}
    coming = [each.path for each in downstream]
    while coming:
        path = coming.pop()
        if path in extracts and path not in found:
            found[path] = extracts[path]
            coming += extracts[path].header.depends_on
    return found
