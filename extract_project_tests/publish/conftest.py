"""Runs that are under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def attempts() -> Iterator[ExitStack]:
    """Runs that are under way; what they have not published is aborted at the end."""
    with ExitStack() as stack:
        yield stack
