"""The generated pages of docs/ say what the code says; links between pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reference.__main__ import DOCS
from reference.pages import PAGES
from reference.terminal import screen

ROOT = DOCS.parent
WRITTEN = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), f"docs/{name} is old: run make docs"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in _LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    missing = [page.name for page in DOCS.glob("*.md") if f"({page.name})" not in index]
    assert missing == ["README.md"]


def test_the_screen_keeps_what_progress_has_drawn_last() -> None:
    drawn = "waiting\r\n\x1b[1A\x1b[2K\x1b[32mdone\x1b[0m\r\nthe result\r\n"
    assert screen(drawn) == ["\x1b[32mdone\x1b[0m", "the result"]


def _anchors(page: Path) -> set[str]:
    """Of each heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {each.replace(" ", "-") for each in words}
