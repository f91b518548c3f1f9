"""Names of extracts: how they are shown, errors about them, and the expansion of patterns."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from extract_project.wording import some

_WILD = "*?["


def name_of(path: str, partition: str | None) -> str:
    """`sales/orders`, or `sales/orders 2026-01-01`."""
    return f"{path} {partition}" if partition else path


def named_elsewhere(path: str, manifests: Mapping[str, str]) -> str:
    """`sales/orders`, or `sales/orders of s3://acme-sql/sales` for one of another manifest.

    `manifests` are the URIs of the manifests of such extracts, by path.
    """
    return f"{path} of {manifests[path]}" if path in manifests else path


def cannot_run(path: str, reasons: Iterable[str]) -> str:
    """The error for an extract whose file is invalid."""
    return "\n".join([f"{path} is invalid, so it cannot run: fix it, push it", *reasons])


def no_extract(path: str, known: Collection[str]) -> str:
    """`no extract 'sales/order': did you mean 'sales/orders'?`

    For a folder, it says what the folder contains, and how to name all of it.
    """
    wanted = path.strip("/").removesuffix(".sql")
    inside = sorted(each for each in known if each.startswith(f"{wanted}/"))
    if inside:
        return (
            f"{wanted!r} is a folder with {some(inside)}: name one of them, or all of them in "
            f"'extract run': '{wanted}/*'"
        )
    hint = _close(wanted, known)
    if hint is None:
        there = f"there are {some(sorted(known))}" if known else "there are none"
        return f"no extract {path!r}: {there}"
    return f"no extract {path!r}: did you mean {hint!r}?"


def is_pattern(path: str) -> bool:
    """Whether it can name several extracts, as `sales/*` does."""
    return any(character in path for character in _WILD)


def is_meant(path: str, given: Iterable[str]) -> bool:
    """Whether an extract is one of those given, as paths or patterns."""
    return any(path == each or fnmatchcase(path, each) for each in given)


def expanded(paths: Iterable[str], known: Collection[str]) -> list[str]:
    """The extracts that the patterns name, each once: `sales/*` is everything in the folder."""
    meant: dict[str, None] = {}
    for path in paths:
        found = sorted(e for e in known if fnmatchcase(e, path)) if is_pattern(path) else []
        meant.update(dict.fromkeys(found or [path]))
    return list(meant)


def _close(wanted: str, known: Collection[str]) -> str | None:
    """The nearest path, or the only one that ends in the same name."""
    folded = {each.casefold(): each for each in known}
    same = [each for each in known if each.rpartition("/")[2].casefold() == wanted.casefold()]
    if len(same) == 1:
        return same[0]
    close = difflib.get_close_matches(wanted.casefold(), folded, n=1)
    if close:
        return folded[close[0]]
    names = {each.rpartition("/")[2]: folded[each] for each in folded}
    alike = difflib.get_close_matches(wanted.casefold().rpartition("/")[2], names, n=1)
    return names[alike[0]] if alike else None
