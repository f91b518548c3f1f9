"""`python -m reference`: write the reference pages of docs/; `make docs` does the same."""

from __future__ import annotations

from pathlib import Path

from reference.pages import PAGES

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    main()
