"""Modules that every run on this machine needs: the fork server imports them once.

Each run's process is forked from it. A module that opens files or connections, or starts threads,
when it is imported may not be here; nor may the module with the definitions, which its users edit.
"""

from __future__ import annotations

from extract_project.process import without_collection

with without_collection():
    import boto3.s3.inject  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401 - Arrow imports it when it makes its first array

    import extract_project.orchestration.one_machine.logs
    import extract_project.orchestration.one_machine.process
    import extract_project.orchestration.run.preloaded  # noqa: F401
    from extract_project.orchestration.one_machine.revisions import remember_revisions

    remember_revisions()
