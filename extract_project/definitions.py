"""What Dagster loads: every extract of the manifest that the environment names.

Own assets, downstream of extracts or beside them, are added in here:

    return build_extract_defs(load_settings(), beside=dg.Definitions(assets=[report]))

In the run worker of an extract, only that extract and what it depends on are there. Let an
automation condition sensor of one's own select extracts by group or prefix, since Dagster resolves
such a sensor's keys in every process.
"""

from __future__ import annotations

import dagster as dg

from extract_project.orchestration.load.build import build_extract_defs
from extract_project.settings import load_settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Every extract of the manifest as an asset."""
    return build_extract_defs(load_settings())
