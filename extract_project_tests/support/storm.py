"""A storm over a real installation: `python -m extract_project_tests.support.storm`.

Files are added, changed, broken, fixed and removed at random, while schedules fire every minute
and Dagster's processes are killed. Afterwards every tick is accounted for, every published object
holds what the SQL of its run says, and every failure is rerun once and only once. Of the ticks that
it has missed Dagster evaluates the newest, so that those during an outage may be left out.

Not covered: the death of run workers (see `orchestration/test_one_machine.py`); more than one code
server.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from dagster import DagsterInstance, DagsterRun, RunsFilter
from dagster._core.scheduler.instigation import TickStatus

from extract_project.deployment.client import Deployment
from extract_project.deployment.failed import Answer, Question, ask, launch
from extract_project.deployment.tags import PATH_TAG, RERUN_OF_TAG, TICK_TAG
from extract_project.embedded.dagster_server import DagsterProcesses, dagster_processes
from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.errors import DeploymentError
from extract_project.history.receipt import load_receipt
from extract_project.history.versions import list_versions
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.waiting import await_value

_PAUSE_SECONDS = 4.0
_SETTLED = timedelta(seconds=75)
"""A file that did not change for this long before and after a tick must run at it."""
_DOWN = timedelta(seconds=90)
"""After a kill, a daemon may be without schedules for this long: it looks for servers every
minute.
"""
_EVERY_MINUTE = "schedule: '* * * * *'\nunchanged: publish"
_HEADERS = {
    "plain": _EVERY_MINUTE,
    "follower": f"{_EVERY_MINUTE}\ndepends_on: [storm/steady]",
    "eager": "on_change: materialize",
    "reader": "depends_on: [storm/steady]",
}


@dataclass(frozen=True)
class Edit:
    """The new text of a file, and when it changed; no text if it was removed."""

    at: datetime
    text: str | None
    version: str = ""


@dataclass
class Report:
    """The violations after the storm, and how much was done in it."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def require(self, holds: bool, message: str) -> None:
        self.counts["statements checked"] += 1
        if not holds:
            self.violations.append(message)


class Processes:
    """Dagster's three processes, which can be killed and restarted."""

    def __init__(self, processes: DagsterProcesses) -> None:
        self.processes = processes
        self._stacks: dict[str, ExitStack] = {}
        self._pids: dict[str, int] = {}

    def start(self, name: str) -> None:
        stack = ExitStack()
        self._pids[name] = stack.enter_context(self.processes.started(name)).pid
        self._stacks[name] = stack

    def kill(self, name: str) -> None:
        """Kill a process without a warning, as the loss of its machine does."""
        os.kill(self._pids[name], signal.SIGKILL)
        self._stacks.pop(name).close()

    def stop(self) -> None:
        for stack in reversed(list(self._stacks.values())):
            stack.close()


class Storm:
    """The installation, and a record of everything done to it."""

    def __init__(self, site: Site, processes: Processes, seed: int) -> None:
        self.site, self.processes = site, processes
        self.random = random.Random(seed)
        self.edits: dict[str, list[Edit]] = defaultdict(list)
        self.number = 0
        self.kills: list[datetime] = []
        self.report = Report()
        self.begun = self.ended = datetime.now(UTC)

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.processes.processes.server.url)

    def put(self, path: str, *, fails: bool = False, broken: bool = False) -> None:
        self.number += 1
        kind = path.rpartition("/")[2].partition("_")[0]
        value = f"error('no {self.number}')" if fails else str(self.number)
        word = "selec" if broken else "select"
        header = _HEADERS.get(kind, _EVERY_MINUTE)
        text = f"/*---\n{header}\nretries: {{max: 0}}\n---*/\n{word} {value} as n"
        version = self.site.put_sql(path, text)
        self.edits[path].append(Edit(datetime.now(UTC), text, version))

    def remove(self, path: str) -> None:
        key = self.site.manifest.key(f"{path}.sql")
        self.site.s3.delete_object(Bucket=self.site.manifest.bucket, Key=key)
        self.edits[path].append(Edit(datetime.now(UTC), None))

    def was_down(self, tick: datetime) -> bool:
        """Whether the daemon or the code server was killed around a tick; then the next may
        replace it.
        """
        return any(at - _DOWN < tick < at + _DOWN for at in self.kills)

    def living(self) -> list[str]:
        found = (path for path, edits in self.edits.items() if edits[-1].text)
        return [path for path in found if path != "storm/steady"]

    def rage(self, minutes: float) -> None:
        """Change something every few seconds."""
        actions: list[tuple[str, int, Callable[[], None]]] = [
            ("added", 3, self._add),
            ("changed", 4, lambda: self.put(self._any())),
            ("made to fail", 2, lambda: self.put(self._any(), fails=True)),
            ("broken", 2, lambda: self.put(self._any(), broken=True)),
            ("removed", 1, lambda: self.remove(self._any())),
            ("pushed 20 at once", 1, self._push),
            ("daemon killed", 1, lambda: self._restart("daemon")),
            ("code server killed", 1, lambda: self._restart("code-server")),
            ("webserver killed", 1, lambda: self._restart("webserver")),
            ("nothing", 6, lambda: None),
        ]
        names, weights, _ = zip(*actions, strict=True)
        by_name = {name: action for name, _, action in actions}
        self.begun = datetime.now(UTC)
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            (name,) = self.random.choices(names, weights)
            if name.startswith("pushed") and len(self.living()) > 25:
                name = "changed"
            by_name[name]()
            self.report.counts[name] += 1
            time.sleep(self.random.uniform(0.2, 2 * _PAUSE_SECONDS))
        self.ended = datetime.now(UTC)

    def calm(self) -> None:
        """Stop the ticks, and wait until all runs have ended."""
        for path in self.living():
            if path.rpartition("/")[2].startswith(("plain", "follower")):
                self._disable(path)
        self._disable("storm/steady")
        await_value("the last edits to be live", self._is_live, 300)
        await_value("the last run to end", lambda: not self.unfinished(), 900)

    def runs(self) -> list[DagsterRun]:
        home = str(self.processes.processes.server.home)
        with DagsterInstance.from_config(home) as instance:
            return list(instance.get_runs(RunsFilter()))

    def unfinished(self) -> list[DagsterRun]:
        return [run for run in self.runs() if not run.is_finished]

    def failures(self) -> Answer:
        return ask(self.deployment, Question())

    def _disable(self, path: str) -> None:
        """Push the same SQL without its schedule."""
        text = self.edits[path][-1].text or ""
        text = text.replace(_EVERY_MINUTE, f"{_EVERY_MINUTE}\nenabled: false")
        version = self.site.put_sql(path, text)
        self.edits[path].append(Edit(datetime.now(UTC), text, version))

    def _is_live(self) -> bool:
        valid = {
            path
            for path, edits in self.edits.items()
            if (text := edits[-1].text) and "selec " not in text
        }
        try:
            return set(self.deployment.extracts()) >= valid and self._no_change_pending()
        except DeploymentError:
            return False

    def _no_change_pending(self) -> bool:
        """Whether the manifest sensor has found nothing to reload since the last edit."""
        last = max(edits[-1].at for edits in self.edits.values())
        with DagsterInstance.from_config(str(self.processes.processes.server.home)) as instance:
            (state,) = (s for s in instance.all_instigator_state() if s.name == "manifest")
            (tick,) = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        pending = "reloaded" in (tick.skip_reason or "")
        settled = tick.status in (TickStatus.SKIPPED, TickStatus.SUCCESS) and not pending
        return settled and tick.timestamp > last.timestamp()

    def _any(self) -> str:
        return self.random.choice(self.living() or ["storm/plain_0"])

    def _add(self) -> None:
        kind = self.random.choice(list(_HEADERS))
        self.put(f"storm/{kind}_{self.number}")

    def _push(self) -> None:
        for _ in range(20):
            self._add()

    def _restart(self, name: str) -> None:
        self.processes.kill(name)
        if name != "webserver":
            self.kills.append(datetime.now(UTC))
        time.sleep(self.random.uniform(0, 5))
        self.processes.start(name)


def check(storm: Storm) -> Report:
    """Check everything that must hold after the storm."""
    report = storm.report
    runs = storm.runs()
    report.counts["runs"] = len(runs)
    _published_is_what_was_launched(storm)
    _every_tick(storm, runs)
    _every_failure_once(storm)
    return report


def _published_is_what_was_launched(storm: Storm) -> None:
    """Each published object holds the number in the SQL version of its run (G3)."""
    site, report = storm.site, storm.report
    texts = {each.version: each.text for edits in storm.edits.values() for each in edits}
    for path in storm.edits:
        key = site.data.key(f"{path}.parquet")
        for version in list_versions(site.data.store, key):
            receipt = load_receipt(site.state, version.key, version.provenance["receipt"])
            text = texts.get(version.provenance["sql-version"]) or ""
            content = pq.read_table(io.BytesIO(site.body(key, version.version_id)))
            report.counts["published versions"] += 1
            report.require(
                f"select {content['n'][0].as_py()} as n" in text,
                f"{path} {version.version_id} holds {content['n'][0]}, and its SQL says {text!r}",
            )
            report.require(
                receipt is not None and receipt.sql == text,
                f"the receipt of {path} {version.version_id} has other SQL",
            )


def _every_tick(storm: Storm, runs: list[DagsterRun]) -> None:
    """No tick runs an extract twice, and none is lost if the file did not change for long
    enough.
    """
    report = storm.report
    ran = Counter((run.tags[PATH_TAG], run.tags[TICK_TAG]) for run in runs if TICK_TAG in run.tags)
    for (path, tick), count in ran.items():
        report.require(count == 1, f"{path} ran {count} times at {tick}")
    at = {(path, datetime.fromisoformat(tick)) for path, tick in ran}
    moment = storm.begun.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment < storm.ended - _SETTLED:
        for path, edits in storm.edits.items():
            name = path.rpartition("/")[2]
            scheduled = name.startswith(("plain", "steady"))
            if scheduled and _stood(edits, moment) and not storm.was_down(moment):
                report.counts["ticks that must have run"] += 1
                report.require((path, moment) in at, f"{path} did not run at {moment:%H:%M}")
        moment += timedelta(minutes=1)


def _stood(edits: list[Edit], tick: datetime) -> bool:
    """Whether the file was the same, and valid, for some time around a tick."""
    before = [each for each in edits if each.at <= tick + _SETTLED]
    if not before or before[-1].at > tick - _SETTLED:
        return False
    text = before[-1].text
    return text is not None and "selec " not in text


def _every_failure_once(storm: Storm) -> None:
    """`extract failed` lists exactly the failures; each is rerun once, and nothing else is."""
    report = storm.report
    failed = storm.failures()
    report.counts["failures"] = len(failed.members)
    runs = storm.runs()  # what follows new data may have been launched meanwhile
    latest: dict[str, DagsterRun] = {}
    for run in reversed(runs):
        for key in run.asset_selection or ():
            latest["/".join(key.path)] = run
    invalid = {path for path, e in storm.edits.items() if not e[-1].text or "selec " in e[-1].text}
    expected = {
        path
        for path, run in latest.items()
        if run.status.value == "FAILURE" and path not in invalid and path not in failed.running
    }
    said = {each.extract for each in failed.members}
    report.require(said == expected, f"failed: {sorted(said)}, and runs say {sorted(expected)}")
    launched = dict(launch(storm.deployment, failed))
    await_value("the reruns to end", lambda: not storm.unfinished(), 900)
    again = Counter(run.tags[RERUN_OF_TAG] for run in storm.runs() if RERUN_OF_TAG in run.tags)
    for each in failed.members:
        report.require(again[each.run_id] == 1, f"{each.name} was rerun {again[each.run_id]} times")
    report.require(sum(again.values()) == len(launched), "something was rerun that had not failed")


@contextmanager
def storm_site(server: S3Server, home: Path, seed: int) -> Iterator[Storm]:
    """An installation with some extracts, before the storm."""
    for bucket in ("storm-sql", "storm-data"):
        server.make_bucket(bucket)
    site = Site.of(
        server, connect(), Location("storm-sql", "sql"), Location("storm-data", "extracts")
    )
    processes = Processes(dagster_processes(home, {**os.environ, **site.environment}))
    storm = Storm(site, processes, seed)
    storm.put("storm/steady")
    for kind in _HEADERS:
        storm.put(f"storm/{kind}_0")
    try:
        for name in processes.processes.commands:
            processes.start(name)
        yield storm
    finally:
        processes.stop()
        for bucket in ("storm-sql", "storm-data"):
            site.s3.delete_bucket(Bucket=bucket)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="extract-storm-") as directory:
        home = Path(directory)
        with s3_server(home / "s3") as server:
            os.environ.update(server.environment)
            with storm_site(server, home / "dagster", given.seed) as storm:
                storm.rage(given.minutes)
                storm.calm()
                report = check(storm)
    for name, count in sorted(report.counts.items()):
        sys.stdout.write(f"{count:>8,} {name}\n")
    for violation in report.violations:
        sys.stdout.write(f"VIOLATED: {violation}\n")
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
