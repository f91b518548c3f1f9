"""Write `deploy/template.yaml` and `deploy/location.yaml`; with `--check`, only compare them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from deploy.stack.alarms import define_alarms, define_location_alarms
from deploy.stack.dashboard import define_dashboard
from deploy.stack.database import define_database, define_warehouse_secret
from deploy.stack.endpoints import define_endpoints
from deploy.stack.exports import define_exports, with_imports
from deploy.stack.further import define_location_parameters
from deploy.stack.groups import define_location_groups
from deploy.stack.identity import define_location_roles, define_roles
from deploy.stack.installation import define_parameters
from deploy.stack.network import define_network
from deploy.stack.outputs import define_location_outputs, define_outputs
from deploy.stack.services import define_location_service, define_services
from deploy.stack.storage import define_storage
from deploy.stack.tasks import define_location_tasks, define_tasks
from deploy.stack.writing import write

_DEPLOY = Path(__file__).parent.parent
_FIRST, _LOCATION = _DEPLOY / "template.yaml", _DEPLOY / "location.yaml"
_HEAD = "# Made out of deploy/stack by `make stack WRITE=1`: change it there.\n"

_Define = Callable[[cdk.Stack], None]


def synthesize() -> dict[Path, str]:
    """The templates as text: that of the first stack, and that of each further location."""
    location, imports = with_imports(
        _synthesized(
            "Location",
            "A further code location of a stack of deploy/template.yaml",
            (
                define_location_parameters,
                define_location_groups,
                define_warehouse_secret,
                define_location_roles,
                define_location_tasks,
                define_location_service,
                define_location_alarms,
                define_location_outputs,
            ),
        )
    )
    first = _synthesized(
        "Extracts",
        "SQL files in S3 become versions of S3 objects, run by Dagster on ECS",
        (
            define_parameters,
            define_network,
            define_endpoints,
            define_storage,
            define_database,
            define_roles,
            define_tasks,
            define_services,
            define_alarms,
            define_dashboard,
            define_outputs,
            lambda stack: define_exports(stack, imports),
        ),
    )
    return {_FIRST: _HEAD + write(first), _LOCATION: _HEAD + write(location)}


def _synthesized(name: str, description: str, parts: Iterable[_Define]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(outdir=out, analytics_reporting=False)
        stack = cdk.Stack(
            app, name, synthesizer=cdk.BootstraplessSynthesizer(), description=description
        )
        # W1033: it resolves DestinationRoles to its default, which the condition of its users rules
        # out. W6001: it takes a command with an imported name for a repeated output.
        linted = {"ignore_checks": ["W1033", "W6001"]}
        stack.template_options.metadata = {"cfn-lint": {"config": linted}}
        for define in parts:
            define(stack)
        template: dict[str, Any] = app.synth().get_stack_by_name(name).template
    return template


def main(arguments: list[str]) -> int:
    made = synthesize()
    if arguments == ["--check"]:
        differing = [path.name for path, text in made.items() if path.read_text() != text]
        for name in differing:
            sys.stderr.write(f"{name} is not what deploy/stack makes: run make stack WRITE=1\n")
        return int(bool(differing))
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
