"""Sets of words, written as one would read them."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text, which white space separates."""
    return frozenset(text.split())
