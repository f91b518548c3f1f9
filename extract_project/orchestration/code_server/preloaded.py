"""Modules that every code server needs: the fork server imports them once.

Each reload forks a process from it. A module that opens files or connections, or starts threads,
when it is imported may not be here; nor may the module with the definitions, which its users edit.
"""

from __future__ import annotations

from extract_project.process import without_collection

with without_collection():
    import extract_project.orchestration.code_server.answers
    import extract_project.orchestration.load.build
    import extract_project.orchestration.load.live  # noqa: F401
    from extract_project.orchestration.one_machine.revisions import remember_revisions

    remember_revisions()
