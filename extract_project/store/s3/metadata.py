"""Facts about an object as S3's metadata, which is sent as HTTP headers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

MOST_METADATA = 2048
"""Bytes of names and values that S3 takes as an object's metadata."""

_PREFIX = "extract-"
"""S3 puts `x-amz-meta-` before it."""


def to_metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """Names with the project's prefix; values percent-encoded where a header cannot carry them."""
    return {_PREFIX + name: header_safe(value) for name, value in facts.items()}


def from_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """The inverse of `to_metadata`; what other programs wrote is left out."""
    return {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in metadata.items()
        if name.startswith(_PREFIX)
    }


def header_safe(value: str) -> str:
    """Percent-encode what an HTTP header cannot carry."""
    return quote(value, safe=" !#$&'()*+,/:;=?@[]-._~")


def metadata_size(facts: Mapping[str, str]) -> int:
    """Bytes that facts take as the metadata of an object."""
    return sum(len(name) + len(value) for name, value in to_metadata(facts).items())
