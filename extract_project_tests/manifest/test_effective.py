"""The values of a header as text that could be written in one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml

from extract_project.manifest.effective import as_yaml


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"max": 2, "delay": "30s"}, "{max: 2, delay: 30s}"),
        ({"delimiter": ",", "null": "NULL"}, '{delimiter: ",", "null": "NULL"}'),
        (["a b", "x: y", "#no", "2026-01-01"], '[a b, "x: y", "#no", "2026-01-01"]'),
        ({"a": [Decimal("0.5"), True, None, "true"]}, '{a: [0.5, true, null, "true"]}'),
        ("Orders: of the day", "Orders: of the day"),
    ],
)
def test_a_value_can_be_copied_into_a_header(value: Any, written: str) -> None:
    assert as_yaml(value) == written
    if not isinstance(value, str):
        assert yaml.safe_load(written) == value
