"""Check an installation: small checks, each with one finding and its fix.

Checks leave nothing behind. A write is tried in a way that makes nothing visible: an upload that
is aborted, a conditional write whose condition is never true.
"""

from __future__ import annotations

from collections.abc import Iterator

from extract_project.doctor.buckets import bucket_checks, destination_checks, upstream_manifests
from extract_project.doctor.code_locations import code_locations
from extract_project.doctor.finding import Finding
from extract_project.doctor.surroundings import clock, disk
from extract_project.doctor.warehouses import sign_in
from extract_project.settings import Settings

__all__ = ["Finding", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, as soon as it is known. Faults are findings too: none raises."""
    folders = settings.connect()
    yield from (check() for check in bucket_checks(folders, settings.kms_key_id))
    yield from upstream_manifests(folders)
    for name, destination in settings.destinations.items():
        key = destination.encryption_key(settings.kms_key_id)
        yield from (check() for check in destination_checks(folders.destination(name), key))
    for name, warehouse in settings.warehouses.items():
        yield from sign_in(name, warehouse)
    yield from code_locations(settings)
    yield clock(folders.data.store)
    yield disk()
