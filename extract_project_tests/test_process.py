"""What is set for a whole process, and that it is set back."""

from __future__ import annotations

import gc
import sys
from subprocess import run

import pytest

from extract_project.process import without_collection


def test_the_collector_runs_again_after_a_load_that_failed_and_nothing_is_frozen() -> None:
    frozen = gc.get_freeze_count()
    with pytest.raises(ValueError, match="no definitions"):
        _fail_to_load()
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen  # what was frozen before may end meanwhile


def test_definitions_that_load_are_kept_from_the_collector() -> None:
    program = """
import gc
from extract_project.process import without_collection
with without_collection():
    made = [object()]
print(gc.isenabled(), gc.get_freeze_count() > 0)
"""
    assert _said(program) == "True True"


@pytest.mark.parametrize("imported_before", [False, True])
def test_pandas_is_hidden_only_where_nobody_has_imported_it(imported_before: bool) -> None:
    program = f"""
import sys
if {imported_before}:
    import pandas
from extract_project.process import without_pandas
with without_pandas():
    try:
        import pandas
        print("found")
    except ImportError:
        print("hidden")
import pandas
"""
    assert _said(program) == ("found" if imported_before else "hidden")


def _fail_to_load() -> None:
    with without_collection():
        assert not gc.isenabled()
        raise ValueError("no definitions")


def _said(program: str) -> str:
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()
