"""Answers of sensors, as they cross the wire."""

from __future__ import annotations

import base64
import zlib

import pytest

from extract_project.deployment.loaded import Loaded
from extract_project.deployment.questions import answer_in, as_cursor

ANSWER = Loaded(versions={"a/b": "v1", "a/ü": None}, invalid={"a/c": ("no",)})


def test_an_answer_arrives_as_it_was_sent() -> None:
    assert answer_in(as_cursor(ANSWER), Loaded) == ANSWER


@pytest.mark.parametrize(
    "cursor",
    [
        ANSWER.model_dump_json(),  # an older release
        as_cursor(ANSWER)[:-8],
        base64.b64encode(zlib.compress(b'{"other": 1}')).decode(),
        "",
        "ü",
    ],
)
def test_any_other_answer_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        answer_in(cursor, Loaded)
