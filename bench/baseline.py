"""An empty Dagster project. It measures the time that Dagster itself takes before a step begins.

The asset's body prints the time at which it was reached, in seconds since 1970.
"""

import sys
import time

import dagster as dg


@dg.asset
def reached() -> None:
    sys.stdout.write(f"reached {time.time()}\n")


defs = dg.Definitions(assets=[reached])
