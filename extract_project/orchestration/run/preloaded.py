"""Modules that every step needs: a run of several extracts imports them once.

The multiprocess executor's fork server imports this module, and forks each step's process from it.
Otherwise each step would start Python and import everything again, which takes seconds. A module
that opens files or connections when it is imported may not be here.
"""

from __future__ import annotations

from extract_project.process import without_collection

with without_collection():
    import pyarrow.parquet  # noqa: F401

    import extract_project.orchestration.load.build  # noqa: F401
