"""An empty Dagster project, to measure Dagster's own time before a step begins.

The asset's body says when it was reached, as seconds since 1970.
"""

import sys
import time

import dagster as dg


@dg.asset
def reached() -> None:
    sys.stdout.write(f"reached {time.time()}\n")


defs = dg.Definitions(assets=[reached])
