"""Long texts are escaped in Arrow, short ones in Python: both as `json.dumps` does."""

from __future__ import annotations

import base64
import json
import tracemalloc

import pyarrow as pa
import pytest

from extract_project.schema.text import json_text, plain_text

ALL = "".join(map(chr, range(0x20))) + 'a"b\\c\\\\"\\n\x7f ü 漢字 😀 '


@pytest.mark.parametrize("times", [1, 3_000])
def test_every_character_is_escaped_alike(times: int) -> None:
    texts = [ALL * times, None, "\\" * 100 * times, "plain" * 100 * times, ""]
    written = json_text(pa.array(texts)).to_pylist()
    assert written == [each and json.dumps(each, ensure_ascii=False) for each in texts[:-1]] + [
        '""'
    ]


def test_g9_a_long_text_is_escaped_without_python_texts() -> None:
    """Where one character is not ASCII, Python takes up to four bytes for each."""
    text = pa.array([("😀" + 'say "hi"\n' * 100) * 5_000])
    tracemalloc.start()
    try:
        written = json_text(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert json.loads(written[0].as_py()) == text[0].as_py()
    assert peak < text.nbytes / 4


def test_binary_is_base64() -> None:
    values = [b"", b"\x00\xff", None, b"long" * 1000]
    expected = [None if each is None else base64.b64encode(each).decode() for each in values]
    assert plain_text(pa.array(values)).to_pylist() == expected
