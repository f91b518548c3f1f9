"""A staged morning, and what commands say of it: `python -m extract_project_tests.support.morning`.

200 extracts on a code server, a webserver and a daemon: some are late, some wait, some run, one
schedule is off, a pool is full, one file is pushed just before a tick, and then the daemon is
killed. Each question of somebody on call is asked with one command, and some again by an assistant,
through MCP; each answer is compared with what was staged.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import dagster as dg

from extract_project.deployment.client import Deployment
from extract_project.deployment.loaded import ask_loaded
from extract_project.deployment.status import ask_status
from extract_project.embedded.dagster_server import dagster_processes
from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.orchestration.names.keys import asset_key
from extract_project.status.facts import SILENT_AFTER
from extract_project.status.starting import GRACE
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.assistant import assistant_in
from extract_project_tests.support.graphql import switch_off
from extract_project_tests.support.morning_files import (
    FAST,
    Staged,
    at_the_tick,
    before_the_tick,
    from_the_start,
    missed_tick,
)
from extract_project_tests.support.morning_questions import (
    Questions,
    Verdict,
    command_line,
    through,
)
from extract_project_tests.support.storm import Processes
from extract_project_tests.support.waiting import await_value

_SECONDS = 400
_BEFORE_THE_TICK = timedelta(seconds=12)
_TO_BE_LIVE = timedelta(minutes=2)
"""From the push of files until their tick."""


@dataclass
class Stage:
    """The installation while it is staged."""

    site: Site
    processes: Processes
    files: dict[str, Staged]
    stopped: list[int] = field(default_factory=list)
    """Process ids of runs that are stopped, and so seem to take long."""

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.processes.processes.server.url)

    @property
    def environment(self) -> Mapping[str, str]:
        """That of a person who asks."""
        url = self.processes.processes.server.url
        return {**os.environ, **self.site.environment, "EXTRACT_DAGSTER_URL": url}

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.processes.processes.server.home)) as found:
            yield found

    def put(self, files: Iterable[Staged]) -> None:
        """Push files whose extracts were published before, as if in runs of other days."""
        metadata = {"dagster/row_count": 1000, "seconds": 1.5, "seconds_usual": 1.4}
        with self.instance() as instance:
            for each in files:
                self.site.put_sql(each.path, each.text)
                self.files[each.path] = each
                if each.published:
                    made = dg.AssetMaterialization(asset_key(each.path), metadata=metadata)
                    instance.report_runless_asset_event(made)

    def launch(self, path: str) -> str:
        return self.deployment.launch([path])

    def await_end(self, *runs: str) -> None:
        for run_id in runs:
            await_value(
                f"the end of {run_id}",
                lambda run_id=run_id: self.deployment.run(run_id, {}).finished,  # type: ignore[misc]
                _SECONDS,
            )

    def stop_while_it_runs(self, path: str) -> int:
        """Launch an extract, and stop its process while it queries; returns the process id."""
        run_id, steps = self.launch(path), self.deployment.extracts()
        queries = lambda: any(  # noqa: E731
            each.status == "IN_PROGRESS" for each in self.deployment.run(run_id, steps).steps
        )
        await_value(f"{path} to run", queries, _SECONDS)
        with self.instance() as instance:
            messages = " ".join(each.message for each in instance.all_logs(run_id))
        pid = int(messages.partition("run (pid: ")[2].partition(")")[0])
        os.kill(pid, signal.SIGSTOP)
        self.stopped.append(pid)
        return pid

    def supersede(self, path: str) -> None:
        """Let a run with newer SQL publish while an older one is stopped."""
        pid = self.stop_while_it_runs(path)
        version = self.site.put_sql(path, FAST)
        live = lambda: ask_loaded(self.deployment, [path]).versions.get(path) == version  # noqa: E731
        await_value("the newer SQL to be live", live, _SECONDS)
        self.await_end(self.launch(path))
        self.stopped.remove(pid)
        os.kill(pid, signal.SIGCONT)

    def play(self) -> None:
        """Everything that happens until the questions are asked."""
        with self.instance() as instance:
            instance.event_log_storage.set_concurrency_slots("narrow", 1)
        switch_off(self.processes.processes.server.url, "cron_7_3_1_1_any")
        tick = _minute_after(_TO_BE_LIVE)
        _say(f"pushing files whose tick is {tick:%H:%M}, and one just before it")
        self.put(at_the_tick(tick))
        _await_moment(tick - _BEFORE_THE_TICK)
        self.put([before_the_tick(tick)])
        _say("failing, refusing, superseding, running")
        failing = [
            self.launch(path)
            for path, each in self.files.items()
            if each.folder == "bad" and each.outcomes
        ]
        self.supersede("superseded/twice")
        for path in ("running/long_0", "running/long_1", "pool/holder"):
            self.stop_while_it_runs(path)
        for number in range(3):
            self.launch(f"pool/behind_{number}")
        self.await_end(*failing)
        at_tick = {"tick/fails", "pushed/at_tick"}
        await_value("the runs of the tick", lambda: at_tick <= self._ended(), _SECONDS)
        tick = _minute_after(_TO_BE_LIVE)
        missed = missed_tick(tick)
        self.put(missed)
        _say(f"pushing files whose tick of {tick:%H:%M} will be missed")
        await_value("Dagster to know the schedule", lambda: self._knows(missed), _SECONDS)
        if datetime.now(UTC) > tick - timedelta(seconds=5):
            raise SystemExit("this machine is too slow: the tick came before its schedule was live")
        self.processes.kill("daemon")
        _say("the daemon is dead; waiting until it is silent, and a tick is missed")
        for number in range(2):
            self.launch(f"queued/after_{number}")
        _await_moment(max(tick + GRACE, datetime.now(UTC) + SILENT_AFTER) + timedelta(seconds=2))

    def _knows(self, files: Sequence[Staged]) -> bool:
        facts = ask_status(self.deployment)
        found = [facts.extracts.get(each.path) for each in files]
        starters = [facts.deployment.starters.get((each and each.starter) or "") for each in found]
        return all(each is not None and each.since is not None for each in starters)

    def _ended(self) -> set[str]:
        with self.instance() as instance:
            runs = instance.get_runs()
        return {
            key.to_user_string()
            for run in runs
            if run.is_finished
            for key in run.asset_selection or ()
        }

    def close(self) -> None:
        for pid in self.stopped:
            os.kill(pid, signal.SIGKILL)
        self.processes.stop()


@contextmanager
def staged(server: S3Server, home: Path) -> Iterator[Stage]:
    """The installation with its files, before anything has happened."""
    for bucket in ("morning-sql", "morning-data"):
        server.make_bucket(bucket)
    site = Site.of(
        server, connect(), Location("morning-sql", "sql"), Location("morning-data", "extracts")
    )
    processes = Processes(dagster_processes(home, {**os.environ, **site.environment}))
    stage = Stage(site, processes, {})
    stage.put(from_the_start())
    try:
        for name in processes.processes.commands:
            processes.start(name)
        yield stage
    finally:
        stage.close()


def _minute_after(distance: timedelta) -> datetime:
    later = datetime.now(UTC) + distance
    return later.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _await_moment(moment: datetime) -> None:
    seconds = (moment - datetime.now(UTC)).total_seconds()
    await_value(f"{moment:%H:%M:%S}", lambda: datetime.now(UTC) >= moment, seconds + 5)


def _say(text: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")
    sys.stdout.flush()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    begun = datetime.now(UTC)
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="extract-morning-") as directory:
        home = Path(directory)
        with s3_server(home / "s3") as server:
            os.environ.update(server.environment)
            _say("starting the installation")
            with (
                staged(server, home / "dagster") as stage,
                assistant_in(home, stage.environment) as assistant,
            ):
                stage.play()
                _say("asking")
                person = Questions(stage.files, begun, command_line(stage.environment))
                helped = Questions(stage.files, begun, through(assistant))
                for verdict in chain(person.every(), helped.of_tools()):
                    verdicts.append(verdict)
                    _print(verdict)
    wrong = sum(not each.right for each in verdicts)
    slowest = max(each.seconds for each in verdicts)
    sys.stdout.write(f"{len(verdicts)} answers, {wrong} wrong; the slowest took {slowest:.1f} s\n")
    sys.exit(bool(wrong))


def _print(each: Verdict) -> None:
    sign = "✓" if each.right else "✗"
    sys.stdout.write(f"{sign} {each.seconds:4.1f} s  {each.question:40}  {each.truth:44}  ")
    sys.stdout.write(f"{each.answer}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
