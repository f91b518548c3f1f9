"""The definitions that Dagster loads: every extract of the manifest in EXTRACT_MANIFEST.

Add your own assets, downstream of extracts or beside them, here:

    return build_extract_defs(load_settings(), beside=dg.Definitions(assets=[report]))

The run worker of an extract loads only that extract and the extracts it depends on. If you add an
automation condition sensor, let it select extracts by group or prefix: Dagster resolves its asset
keys in every process.
"""

from __future__ import annotations

import dagster as dg

from extract_project import build_extract_defs
from extract_project.settings import load_settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Every extract of the manifest as an asset."""
    return build_extract_defs(load_settings())
