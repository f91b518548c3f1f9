"""A further code location, which `deploy/location.yaml` adds to the first stack: its parameters.

It takes network, cluster, database, key, buckets and registry from the exports of the first stack;
what it has of its own is what teams do not share: code server, runs, roles, secret, alarms.
"""

from __future__ import annotations

import aws_cdk as cdk

from deploy.stack.locations import (
    define_conditions,
    define_destinations,
    define_manifest,
    define_runs,
    define_warehouses,
    define_watching,
)
from deploy.stack.parameters import text

_NAME = "(?!(catalog|code|database|webserver)(,|$))[a-z][a-z0-9-]{0,29}"
"""A host in the zone of names and a folder of the extracts, which have these already."""
NAMES = f"^({_NAME}(,{_NAME})*)?$"


def define_location_parameters(stack: cdk.Stack) -> None:
    """Declare every parameter, condition and rule."""
    text(stack, "Stack", "Name of the first stack", None, pattern="^[A-Za-z][A-Za-z0-9-]*$")
    text(stack, "Location", "Name of the location, as in FurtherLocations of the first stack; its "
         "extracts are published below a folder of this name", None,
         pattern=f"^{_NAME}$")  # fmt: skip
    text(stack, "ImageDigest", "sha256:… of an image in the registry of the first stack; empty "
         "starts nothing yet", pattern="^(sha256:[0-9a-f]{64})?$")  # fmt: skip
    text(stack, "Running", "false stops the code server", "true", switch=True)
    text(stack, "CpuArchitecture", "CPU architecture of the image", "X86_64",
         allowed=["X86_64", "ARM64"])  # fmt: skip
    define_warehouses(stack)
    define_manifest(stack, None)
    define_destinations(stack)
    define_runs(stack)
    define_watching(stack)
    define_conditions(stack)
