"""`extract rollback`: make an older version current again, without a rerun."""

from __future__ import annotations

import getpass
import time
from dataclasses import dataclass

import click

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    NO,
    err,
    explains_itself,
    json_option,
    out,
    partition_option,
    to_option,
)
from extract_project.cli.outcomes import RollbackAnswer
from extract_project.cli.published.versions import published_at, resolve_at
from extract_project.errors import DeploymentError, NotPublished
from extract_project.history.history import Entry, chosen, read_history
from extract_project.history.versions import Version
from extract_project.manifest.extract import Extract
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.settings import Settings, load_settings
from extract_project.store.folder import Folder

_POLL_SECONDS = 0.5
_NEWEST = 20


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.argument("version")
@click.option("--reason", required=True, help="The reason, recorded with the version.")
@click.option("--by", help="Your name; default: the user of this machine.")
@partition_option
@to_option
@click.option(
    "--without-dagster", is_flag=True, help="Restore with your own AWS credentials, unrecorded."
)
@json_option
@explains_itself
def rollback(
    *,
    extract: str,
    version: str,
    reason: str,
    by: str | None,
    partition: str | None,
    to: str | None,
    without_dagster: bool,
    as_json: bool,
) -> None:
    """Make VERSION of EXTRACT (folder/name) current again.

    A run in Dagster copies its bytes to a new version, and records who did it and why. A run of the
    extract that is already under way cannot replace the new version; the next run can. VERSION is
    as in extract diff. Exit code 1 when the run fails.

    \b
    extract rollback sales/orders 3HL4kqtJ --reason 'half of the orders are missing'
    extract rollback sales/orders previous --reason 'wrong currency'
    """
    settings = load_settings()
    found = resolve_at(settings, extract, to)
    destination, key = published_at(settings, found, partition)
    target, state = Target(destination.data.store, key, destination.data.prefix), destination.state
    old = chosen(target.store, state, key, version)
    order = Order(old.listed.version_id, reason, by or getpass.getuser())
    if without_dagster:
        done = _Done(None, restore(state, target, order).version)
    else:
        done = _through_dagster(
            settings, state, target, extract=found, partition=partition, order=order
        )
    if as_json:
        print_answer(RollbackAnswer, _plain(found, partition, order, old, done))
    elif done.new:
        _say(found, partition, to, old=old, new=done.new)
    else:
        out.print(done.failure_report)
    raise SystemExit(0 if done.new else NO)


@dataclass(frozen=True)
class _Done:
    """What became of a rollback."""

    run_id: str | None
    new: Version | None
    """None if the run failed."""
    failure_report: str = ""


def _through_dagster(
    settings: Settings,
    state: Folder,
    target: Target,
    *,
    extract: Extract,
    partition: str | None,
    order: Order,
) -> _Done:
    """Launch the job and wait for it."""
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.rollback import JOB, OP, rollback_config

    deployment = Deployment(settings.dagster_url, settings.location)
    config = rollback_config(extract.path, partition, order, to=extract.destination)
    try:
        run_id = deployment.launch_job(JOB, config)
    except DeploymentError as error:
        raise DeploymentError(
            f"{error}\nor restore it with your own AWS credentials, without a record in Dagster: "
            f"--without-dagster"
        ) from None
    with err.status(f"run {run_id[:8]} restores {order.version_id}"):
        while not (run := deployment.run(run_id, {extract.path: OP})).finished:
            time.sleep(_POLL_SECONDS)
    if run.status != "SUCCESS":
        reasons = [step.error for step in run.steps if step.error]
        return _Done(run_id, None, "\n".join(reasons) or f"run {run_id} has failed: see its log")
    for made in read_history(target.store, state, target.key, limit=_NEWEST).versions:
        if made.restoration and made.restoration.run_id == run_id:
            return _Done(run_id, made)
    raise NotPublished(
        f"the version restored by run {run_id} has been replaced: see extract versions"
    )


def _plain(
    extract: Extract, partition: str | None, order: Order, old: Entry, done: _Done
) -> dict[str, object]:
    new, made = done.new, done.new and done.new.restoration
    return {
        "extract": extract.path,
        "partition": partition,
        "run_id": done.run_id,
        "restored_from": order.version_id,
        "by": order.by,
        "reason": order.reason,
        "uri": new and new.uri,
        "version_id": new and new.version_id,
        "replaced": made and made.replaced,
        "restored_at": made and made.at,
        "rows": old.receipt.rows if new and old.receipt else None,
        "failure_report": done.failure_report or None,
    }


def _say(
    extract: Extract, partition: str | None, to: str | None, *, old: Entry, new: Version
) -> None:
    rows = f", {old.receipt.rows:,} rows" if old.receipt else ""
    out.print(
        f"{new.uri}\nis current: it is version {old.listed.version_id} of "
        f"{old.at:%Y-%m-%d %H:%M:%S} UTC{rows}. The next run replaces it. To undo this:\n",
    )
    replaced = new.restoration.replaced if new.restoration else None
    if replaced is None:  # there was no current version, or a delete marker
        out.print(f"  aws s3api delete-object --bucket {new.store.name} --key '{new.key}'")
        return
    which = (f" --partition {partition}" if partition else "") + (f" --to {to}" if to else "")
    out.print(f"  extract rollback {extract.path} {replaced}{which} --reason 'undo'")
