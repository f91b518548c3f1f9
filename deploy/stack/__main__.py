"""Write `deploy/template.yaml`; with `--check`, only compare it with the stack."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import aws_cdk as cdk

from deploy.stack.alarms import define_alarms
from deploy.stack.dashboard import define_dashboard
from deploy.stack.database import define_database
from deploy.stack.endpoints import define_endpoints
from deploy.stack.identity import define_roles
from deploy.stack.network import define_network
from deploy.stack.outputs import define_outputs
from deploy.stack.parameters import define_parameters
from deploy.stack.services import define_services
from deploy.stack.storage import define_storage
from deploy.stack.tasks import define_tasks
from deploy.stack.writing import write

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
_HEAD = "# Made out of deploy/stack by `make stack WRITE=1`: change it there.\n"


def synthesize() -> str:
    """The template as text."""
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(outdir=out, analytics_reporting=False)
        stack = cdk.Stack(
            app,
            "Extracts",
            synthesizer=cdk.BootstraplessSynthesizer(),
            description="SQL files in S3 become versions of S3 objects, run by Dagster on ECS",
        )
        # It resolves DestinationRoles to its default, which the condition of its users rules out.
        linted = {"ignore_checks": ["W1033"]}
        stack.template_options.metadata = {"cfn-lint": {"config": linted}}
        for define in (
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
        ):
            define(stack)
        template = app.synth().get_stack_by_name("Extracts").template
    return _HEAD + write(template)


def main(arguments: list[str]) -> int:
    made = synthesize()
    if arguments == ["--check"]:
        if TEMPLATE.read_text() != made:
            sys.stderr.write(
                f"{TEMPLATE.name} is not what deploy/stack makes: run make stack WRITE=1\n"
            )
            return 1
        return 0
    TEMPLATE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
