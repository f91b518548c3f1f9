"""What a header accepts, Dagster accepts: so that `extract check` says what loading will say."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from extract_project.manifest.extract import Extract
from extract_project_tests.support.loaded import loaded
from extract_project_tests.support.parsing import header, parse

NEAR = st.text("aZ0_.-/:@ é", min_size=1, max_size=8)
OWNERS = st.one_of(
    NEAR,
    NEAR.map("team:{}".format),
    st.builds("{}@{}.{}".format, NEAR, NEAR, NEAR),
    st.sampled_from(["a@b.c", "ana.o'neil+x@shop.co", "A@B.CO", '"a b"@c.de', "-a@b.co"]),
)
TAG_WORDS = st.one_of(NEAR, st.sampled_from(["dagster/kind/x", "dagster/x", "x" * 63, "x" * 64]))
NAMES = st.one_of(NEAR, st.sampled_from(["type", "default", "x" * 300, "a-b"]))
DURATIONS = st.sampled_from(["1s", "59s", "1m", "90s", "24h", "400d", "36500d"])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "owners": st.lists(OWNERS, max_size=3),
        "tags": st.dictionaries(TAG_WORDS, TAG_WORDS, max_size=3),
        "group": NAMES,
        "pool": NAMES,
        "freshness": DURATIONS,
        "description": st.text(max_size=20),
        "retries": st.fixed_dictionaries({"max": st.integers(0, 10), "delay": DURATIONS}),
        "schedule": st.sampled_from(["hourly", "0 0 29 2 *", "daily at 06:30", "0 6 * * 7"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Etc/GMT+12"]),
        "priority": st.integers(-100, 100),
        "checks": st.lists(
            st.sampled_from([{"unique": "é"}, {"not_null": ["a" * 300]}, {"min_rows": 10**30}]),
            max_size=2,
        ),
    },
)


@settings(max_examples=150)
@given(HEADERS)
def test_g6_what_a_header_accepts_dagster_accepts(keys: dict[str, Any]) -> None:
    accepted = {key: value for key, value in keys.items() if is_valid({key: value})}
    text = text_of(accepted)
    assert isinstance(parse(text), Extract)
    assert loaded({"sales/orders": text}) == ({"sales/orders"}, set())


def is_valid(keys: dict[str, Any]) -> bool:
    return isinstance(parse(text_of(keys)), Extract)


def text_of(keys: dict[str, Any]) -> str:
    """JSON is YAML."""
    return header(json.dumps(keys))
