"""The `extract` command, for all work on SQL files and their versions; `dg` is Dagster's own."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from extract_project.cli.catalog import catalog
from extract_project.cli.check import check
from extract_project.cli.ddl import ddl
from extract_project.cli.demo import demo, up
from extract_project.cli.diff import diff
from extract_project.cli.doctor import doctor
from extract_project.cli.failed import failed
from extract_project.cli.get import get
from extract_project.cli.init import init
from extract_project.cli.logs import logs
from extract_project.cli.new import new
from extract_project.cli.operations import operations
from extract_project.cli.pin import pin, unpin
from extract_project.cli.plan import plan
from extract_project.cli.preview import preview
from extract_project.cli.prune import prune
from extract_project.cli.push import push
from extract_project.cli.release import release
from extract_project.cli.rerun import rerun
from extract_project.cli.rollback import rollback
from extract_project.cli.run import run
from extract_project.cli.runs import runs
from extract_project.cli.schema import schema
from extract_project.cli.show import show
from extract_project.cli.status import status
from extract_project.cli.trace import trace
from extract_project.cli.versions import versions
from extract_project.cli.why import why
from extract_project.process import quiet_sqlglot


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="extract-project")
def main() -> None:
    """SQL files in S3 to audited, versioned S3 objects: check, push, run, compare, restore."""
    quiet_sqlglot()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # do not fail on characters that it cannot encode
            stream.reconfigure(errors="backslashreplace")


for command in (
    *(catalog, check, ddl, demo, diff, doctor, failed, get, init, logs, new, operations, pin),
    *(plan, preview, prune, push, release, rerun, rollback, run, runs, schema, show, status),
    *(trace, unpin, up, versions, why),
):
    main.add_command(command)
