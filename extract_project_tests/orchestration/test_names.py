"""Every name that a SQL file may have makes an asset, valid or not, beside every other (G6)."""

from __future__ import annotations

import builtins
import keyword
from hashlib import sha256

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from extract_project.deployment import rollback
from extract_project.orchestration.names.keys import RERUN_JOB, RERUN_OP
from extract_project_tests.support.loaded import loaded

VALID = "select 1 as a"
WORDS = sorted(
    {
        *DISALLOWED_NAMES,
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
        *("lock", "result", "context", "checked_file", "upstream_0", "sql_valid", "default"),
        *("__ASSET_JOB", "__ASSET_JOB_0", "__repository__", "manifest", "following", "alerts"),
        *("invalid_sql_files", "rerun_failed", "sources_shop", "at_6", "definitions"),
        *(RERUN_JOB, RERUN_OP, rollback.JOB, rollback.OP),
    }
)
ODD = [
    "a.b",
    "a_b",
    "a-b",
    "A_b",
    "a__b",
    "_",
    "__",
    "-",
    "---",
    "0",
    "a" * 200,
    "x.sql",
    "~",
    "a b",
]


@pytest.mark.parametrize("folder", ["", "sales/", "import/type/"])
@pytest.mark.parametrize("text", [VALID, "selec 1"], ids=["valid", "invalid"])
def test_g6_words_that_dagster_and_python_reserve(folder: str, text: str) -> None:
    paths = {f"{folder}{word}" for word in WORDS}
    extracts, others = loaded(dict.fromkeys(paths, text))
    assert (extracts, others) == ((paths, set()) if text is VALID else (set(), paths))


def test_g6_reserved_words_as_folders_partitions_and_upstream() -> None:
    files = {}
    for word in sorted(DISALLOWED_NAMES):
        files[f"{word}/{word}"] = (
            "/*---\npartitions: daily\nschedule: 0 6 * * *\n---*/\nselect :partition_key as a"
        )
        files[word] = f"/*---\ndepends_on: [{word}/{word}, after/{word}]\n---*/\n{VALID}"
        files[f"after/{word}"] = "selec 1"
    extracts, others = loaded(files)
    assert others == {f"after/{word}" for word in DISALLOWED_NAMES}
    assert extracts | others == files.keys()


def test_g6_names_that_become_the_same_name_elsewhere() -> None:
    """Of steps, of the checks of invalid files, and of what stands for a path that is no key."""
    files = dict.fromkeys([*ODD, *(f"a/{name}" for name in ODD), "a/b__c", "a__b/c"], VALID)
    files |= {"a/b": "selec 1", "a/b_sql_valid": VALID, "a/b___sql_valid": VALID}
    for path in ("a.b", "a b", "a/a.b", "a/a b"):
        for length in (8, 12):
            digest = sha256(path.encode()).hexdigest()[:length]
            files[f"a_b_{digest}"] = files[f"a_b___{digest}"] = files[f"a/a_b___{digest}"] = VALID
    extracts, others = loaded(files)
    assert len(extracts) + len(others) == len(files)
    assert extracts == {path for path in files if "~" not in path and " " not in path} - {"a/b"}


def test_g6_a_folder_named_like_a_warehouse_holds_no_tables() -> None:
    """Else a file would be upstream of itself, and two that read each other's table a circle."""
    extracts, tables = loaded(
        {
            "shop/a": "select * from b",
            "shop/b": "select * from a",
            "shop/main/c": "select * from main.c join other on true",
        }
    )
    assert extracts == {"shop/a", "shop/b", "shop/main/c"}
    assert tables == {"shop:/a", "shop:/b", "shop:/main/c", "shop/other"}


PARTS = st.one_of(
    st.sampled_from([*WORDS, *ODD]),
    st.text("aAbB_-.", min_size=1, max_size=4),
    st.text(min_size=1, max_size=6),
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@hypothesis_settings(max_examples=60)
@given(st.dictionaries(PATHS, st.sampled_from([VALID, "selec 1"]), min_size=1, max_size=8))
def test_g6_any_names_beside_each_other(files: dict[str, str]) -> None:
    extracts, others = loaded(files)
    assert len(extracts) + len(others) == len(files)
    assert extracts <= files.keys()
