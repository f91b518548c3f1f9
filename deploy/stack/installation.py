"""The parameters of the first stack: those of its code location, and those of the installation."""

from __future__ import annotations

import aws_cdk as cdk

from deploy.stack.further import NAMES
from deploy.stack.locations import (
    PREFIX,
    define_conditions,
    define_destinations,
    define_manifest,
    define_runs,
    define_warehouses,
    define_watching,
    require,
)
from deploy.stack.parameters import (
    ARM,
    DB_CLASS,
    FURTHER,
    GLUE_ENDPOINT,
    INTERNET,
    NAT,
    NONE,
    PRIVATE_LINK,
    PUBLIC,
    SERVICES,
    SMALL,
    SNAPSHOT,
    STANDARD,
    STANDBY,
    UI,
    condition,
    conditions_given,
    given,
    number,
    ref,
    text,
)

_BYTE = "[.][0-9]{1,3}"
_PRIVATE_RANGES = (
    f"10({_BYTE}){{3}}/([89]|[12][0-9]|3[0-2])",
    f"172[.](1[6-9]|2[0-9]|3[01])({_BYTE}){{2}}/(1[2-9]|2[0-9]|3[0-2])",
    f"192[.]168({_BYTE}){{2}}/(1[6-9]|2[0-9]|3[0-2])",
    f"100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])({_BYTE}){{2}}/([12][0-9]|3[0-2])",
)
"""The tasks of the small footprint have public addresses: the UI must not be opened on those."""


def define_parameters(stack: cdk.Stack) -> None:
    """Declare every parameter, condition and rule."""
    text(stack, "ImageDigest", "sha256:… of the pushed image; empty starts nothing yet",
         pattern="^(sha256:[0-9a-f]{64})?$")  # fmt: skip
    text(stack, "Footprint", "standard: a task for each service, private subnets, a standby "
         "database; small: one task and one database, about a sixth of the cost; none: no service, "
         "schedules start tasks", "standard", allowed=["standard", "small", "none"])  # fmt: skip
    text(stack, "Running", "false stops webserver, daemon and code server", "true", switch=True)
    text(stack, "CpuArchitecture", "CPU architecture of the image", "X86_64",
         allowed=["X86_64", "ARM64"])  # fmt: skip
    text(stack, "FurtherLocations", "Names of further code locations, separated by commas, each of "
         "which is a stack of deploy/location.yaml; only in the standard footprint; empty: none",
         pattern=NAMES)  # fmt: skip
    define_warehouses(stack)
    define_manifest(stack, "sql")
    text(stack, "DataPrefix", "Prefix of the extracts in their bucket", "extracts", pattern=PREFIX)
    number(stack, "NoncurrentDays", "Days for which a replaced version is kept at least", 90)
    number(
        stack,
        "NoncurrentVersions",
        "Number of newest replaced versions that are always kept",
        30,
        most=100,
    )
    define_destinations(stack)
    define_runs(stack)
    number(stack, "MaxConcurrentRuns", "Concurrent runs", 25)
    number(stack, "MaxRunsPerPool", "Concurrent runs against one warehouse", 10)

    text(stack, "VpcCidr", "Address range of the VPC, /16 to /22", "10.42.0.0/16")
    text(stack, "Nat", "NAT gateway, for warehouses on the internet, or for Slack; the small "
         "footprint needs none", "false", switch=True)  # fmt: skip
    text(stack, "PrivateLinkService", "Snowflake's PrivateLink service name; empty: none")
    text(stack, "UiCidr", "Private address range that may open the UI, which has no sign-in; "
         "empty: none", pattern=f"^({'|'.join(_PRIVATE_RANGES)})?$")  # fmt: skip
    define_watching(stack)

    text(stack, "DbClass", "Instance class of Dagster's database; empty: db.t4g.small, and "
         "db.t4g.micro in the small footprint")  # fmt: skip
    text(stack, "DbMultiAz", "Standby database in the other zone; never in the small footprint",
         "true", switch=True)  # fmt: skip
    text(stack, "DbSnapshot", "Snapshot to restore the database from; empty: a new one")
    _conditions(stack)
    define_conditions(stack)


def _conditions(stack: cdk.Stack) -> None:
    define = cdk.Fn
    is_standard = define.condition_equals(ref("Footprint"), "standard")
    is_small = define.condition_equals(ref("Footprint"), "small")
    is_none = define.condition_equals(ref("Footprint"), "none")
    condition(stack, STANDARD, is_standard)
    condition(stack, SMALL, is_small)
    condition(stack, NONE, is_none)
    condition(stack, SERVICES, define.condition_not(is_none))
    condition(stack, PUBLIC, define.condition_not(is_standard))
    condition(stack, ARM, define.condition_equals(ref("CpuArchitecture"), "ARM64"))
    for name, parameter in {NAT: "Nat", STANDBY: "DbMultiAz"}.items():
        is_true = define.condition_equals(ref(parameter), "true")
        condition(stack, name, define.condition_and(is_standard, is_true))
    condition(
        stack,
        INTERNET,
        define.condition_or(
            define.condition_not(is_standard), define.condition_equals(ref("Nat"), "true")
        ),
    )
    condition(stack, GLUE_ENDPOINT, define.condition_and(is_standard, given("GlueDatabase")))
    condition(stack, FURTHER, define.condition_and(is_standard, given("FurtherLocations")))
    is_given = {
        PRIVATE_LINK: "PrivateLinkService",
        UI: "UiCidr",
        SNAPSHOT: "DbSnapshot",
        DB_CLASS: "DbClass",
    }
    conditions_given(stack, is_given)
    none_further = define.condition_equals(ref("FurtherLocations"), "")
    require(
        stack,
        "FurtherLocationsAreStandard",
        define.condition_or(none_further, is_standard),
        "FurtherLocations needs Footprint=standard: each has a task of its own, which the task of "
        "the small footprint and a stack without services have no place for",
    )
