"""`extract demo` and `extract up`: S3, a warehouse and Dagster on this machine."""

from __future__ import annotations

import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from extract_project.cli.console import GOOD, NO, explains_itself, marked, out, table
from extract_project.cli.files.push import push_folder
from extract_project.cli.published.versions import print_history, published_history
from extract_project.cli.running.run import run_and_watch
from extract_project.embedded.dagster_server import DagsterServer, dagster_server
from extract_project.embedded.process import free_port, is_listening
from extract_project.embedded.site import EmbeddedSite, embedded_site
from extract_project.embedded.tpch import make_warehouse
from extract_project.errors import ManifestError, NotPublished
from extract_project.manifest.defaults import DefaultsTree
from extract_project.manifest.extract import Extract
from extract_project.manifest.folder import local_defaults, manifest_files, parse_files
from extract_project.process import take_environment
from extract_project.settings import Settings, load_settings
from extract_project.units import format_bytes

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.run import Run

_REFUSED = "quality/order_lines_by_part"
_CHANGED = "sales/daily_revenue"
_PARTITION = "1998-07"
_UI_PORT, _S3_PORT = 3000, 8333
_BEFORE, _AFTER = "'1998-01-01'", "'1997-01-01'"

directory_option = click.option(
    "--directory",
    default=".demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory for all data.",
)
manifest_option = click.option(
    "--manifest",
    default="sql_manifest",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the SQL files.",
)
scale_option = click.option(
    "--scale", default=0.1, show_default=True, help="TPC-H scale: 1 is 6 million order lines."
)


@dataclass(frozen=True)
class Installation:
    """The parts of a running installation."""

    site: EmbeddedSite
    settings: Settings
    dagster: DagsterServer
    deployment: Deployment


@click.command()
@directory_option
@manifest_option
@scale_option
@explains_itself
def demo(directory: Path, manifest: Path, scale: float) -> None:
    """Run a demo on this machine, with S3, a warehouse and Dagster.

    It materializes every SQL file, shows a result that is refused, and changes one SQL file.
    """
    started = time.monotonic()
    _require_its_files(manifest)
    with _installation(directory, manifest, scale) as installation:
        deployment, settings = installation.deployment, installation.settings
        extracts = _extracts(settings, manifest)
        partitioned = sorted(path for path in extracts if extracts[path].header.partitions)

        out.print(Rule("every SQL file is an asset: materialize them all"))
        run = run_and_watch(deployment, sorted(extracts.keys() - set(partitioned)))

        out.print(Rule(f"one partition, {_PARTITION}, of {' and '.join(partitioned)}"))
        run_and_watch(deployment, partitioned, _PARTITION)

        out.print(Rule(f"one result was refused: {_REFUSED}"))
        out.print(Panel(Text(_error_of(run, _REFUSED)), border_style="red"), soft_wrap=False)

        out.print(Rule(f"change one SQL file: {_CHANGED}"))
        _change(installation, manifest)
        run_and_watch(deployment, [_CHANGED])
        print_history(published_history(settings, extracts[_CHANGED], 2))

        out.print(Rule("what is published now"))
        out.print(_results(settings, extracts))
        out.print(_next_commands(installation, started))
    failed = sorted(step.path for step in run.steps if step.status != "SUCCESS")
    raise SystemExit(0 if failed == [_REFUSED] else NO)


@click.command()
@directory_option
@manifest_option
@scale_option
@explains_itself
def up(directory: Path, manifest: Path, scale: float) -> None:
    """Run the parts of the demo, with the Dagster UI, until Ctrl-C."""
    with _installation(directory, manifest, scale, _UI_PORT, _S3_PORT) as installation:
        out.print(Text.assemble("\nthe UI: ", (f"{installation.dagster.url}/assets", "bold")))
        out.print(_commands(installation))
        out.print("press Ctrl-C to stop; all data stays in " + str(directory))
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            out.print("\nending")


def _require_its_files(manifest: Path) -> None:
    names = manifest_files(manifest)
    missing = [path for path in (_REFUSED, _CHANGED) if f"{path}.sql" not in names]
    if missing:
        raise ManifestError(
            f"{manifest}/ has no {' and no '.join(missing)}, which the demo needs; "
            f"to start everything with your own files: extract up --manifest {manifest}"
        )


@contextmanager
def _installation(
    directory: Path,
    manifest: Path,
    scale: float,
    ui_port: int | None = None,
    s3_port: int | None = None,
) -> Iterator[Installation]:
    """Start S3, make the warehouse, push the SQL files, start Dagster."""
    from extract_project.deployment.client import Deployment

    with ExitStack() as stack:
        with _step("an S3 server with versioning, on disk"):
            site = stack.enter_context(embedded_site(directory, _free(s3_port)))
        port = _free(ui_port) or free_port()
        take_environment({**site.settings, "EXTRACT_DAGSTER_URL": f"http://127.0.0.1:{port}"})
        settings = load_settings()
        _write_environment(site, settings.dagster_url)
        with _step(f"a DuckDB warehouse with TPC-H at scale {scale}") as said:
            said(f"{make_warehouse(site.warehouse, scale):,} order lines")
        with _step(f"pushing {manifest}/ to {settings.manifest}") as said:
            changes = push_folder(settings.connect().manifest, manifest_files(manifest))
            said(f"{len(changes.uploads)} uploaded, {len(changes.same)} unchanged")
        with _step("Dagster: code server, webserver, daemon") as said:
            home, environment = directory / "dagster", site.process_environment()
            dagster = stack.enter_context(dagster_server(home, environment, port))
            said(dagster.url)
        yield Installation(site, settings, dagster, Deployment(dagster.url))


@contextmanager
def _step(what: str) -> Iterator[Callable[[str], None]]:
    started = time.monotonic()
    details: list[str] = []
    with out.status(what):
        yield details.append
    detail = f": {', '.join(details)}" if details else ""
    out.print(marked(GOOD, f"{what}{detail}", f"({time.monotonic() - started:.1f} s)"))


def _free(port: int | None) -> int | None:
    """The port if it is free, else None."""
    return None if port is None or is_listening(port) else port


def _write_environment(site: EmbeddedSite, dagster_url: str) -> None:
    """Write the settings for other terminals: `. .demo/env`."""
    values = {**site.settings, "EXTRACT_DAGSTER_URL": dagster_url}
    values["DAGSTER_HOME"] = str((site.directory / "dagster").resolve())
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    (site.directory / "env").write_text("\n".join(lines) + "\n")


def _error_of(run: Run, path: str) -> str:
    return next((step.error for step in run.steps if step.path == path), "") or (
        "it should have been refused, but was not"
    )


def _change(installation: Installation, manifest: Path) -> None:
    """Change one line of SQL in a copy of the manifest, and push the copy."""
    edited = installation.site.directory / "edited"
    shutil.rmtree(edited, ignore_errors=True)
    shutil.copytree(manifest, edited)
    file = edited / f"{_CHANGED}.sql"
    text = file.read_text()
    file.write_text(text.replace(_BEFORE, _AFTER))
    out.print(f"  - {_line_with(text, _BEFORE)}\n  + {_line_with(file.read_text(), _AFTER)}")
    with _step("pushed, and the code location reloaded"):
        push_folder(installation.settings.connect().manifest, manifest_files(edited))
        installation.deployment.reload()


def _line_with(text: str, word: str) -> str:
    return next(line.strip() for line in text.splitlines() if word in line)


def _extracts(settings: Settings, manifest: Path) -> dict[str, Extract]:
    files = manifest_files(manifest)
    tree = DefaultsTree.of(local_defaults(files, settings.dialects))
    parsed = parse_files(files, settings.dialects, tree)
    return {each.path: each for each in parsed if isinstance(each, Extract)}


def _results(settings: Settings, extracts: dict[str, Extract]) -> Table:
    results = table("extract", "rows", "bytes", "seconds", "key", "VersionId")
    for extract in extracts.values():
        partition = _PARTITION if extract.header.partitions else None
        key = settings.data.key(extract.published_path(partition))
        try:
            (newest,) = published_history(settings, extract, 1, partition).entries
        except NotPublished:
            results.add_row(extract.path, Text("refused", "red"), "", "", key, "")
            continue
        receipt, version = newest.receipt, newest.version
        assert version is not None
        results.add_row(
            extract.path,
            f"{receipt.rows:,}" if receipt else "?",
            format_bytes(newest.bytes),
            f"{receipt.stages.total:.2f}" if receipt else "?",
            key,
            version.version_id,
        )
    return results


def _next_commands(installation: Installation, started: float) -> str:
    return (
        f"\nthe whole demo took {time.monotonic() - started:.0f} s. Next:\n\n"
        f"  make up                                  # leave it running, with the Dagster UI\n"
        + _commands(installation)
    )


def _commands(installation: Installation) -> str:
    directory = installation.site.directory
    uri = (installation.settings.data / f"{_CHANGED}.parquet").uri
    return f"""
in another terminal, while it runs:

  . .venv/bin/activate && . {directory}/env
  extract versions {_CHANGED}
  extract diff {_CHANGED}                  # what changed: the SQL, the data, or both
  extract trace {uri}
  extract get {_CHANGED} -o revenue.parquet
  extract push sql_manifest                # after adding or changing a file
  extract run sales/top_customers
  extract run sales/orders_by_month --partition 1998-06
  extract failed                           # what failed at its latest attempt, and why
  extract rerun --failed                   # run exactly those again
"""
