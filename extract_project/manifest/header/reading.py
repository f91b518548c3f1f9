"""Validate a header's YAML into the typed header."""

from __future__ import annotations

from pydantic import ValidationError

from extract_project.manifest.header.consistency import contradictions
from extract_project.manifest.header.errors import explain
from extract_project.manifest.header.frontmatter import FrontMatter
from extract_project.manifest.header.model import Header
from extract_project.problem import Refused


def read_header(front_matter: FrontMatter) -> Header:
    """Validate a header; raises Refused with every problem at its line and column."""
    try:
        header = Header.model_validate(front_matter.data)
    except ValidationError as error:
        raise Refused(*explain(error, front_matter, Header)) from None
    front_matter.require_none(contradictions(header))
    return header
