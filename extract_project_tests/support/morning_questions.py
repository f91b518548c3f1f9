"""The questions of somebody on call, each asked with one command, and compared with the truth.

Some are asked again by an assistant, through MCP.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from extract_project.status.reason import State
from extract_project_tests.support.assistant import Assistant
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.morning_files import Staged

_OF_EACH_KIND = 3


@dataclass(frozen=True)
class Verdict:
    """One question, what is true, what was said, and how long it took."""

    question: str
    command: str
    truth: str
    answer: str
    right: bool
    seconds: float


class Ask(Protocol):
    """How a question is put: a command with arguments and options; gives its JSON answer."""

    def __call__(self, command: str, *arguments: str) -> Any: ...


def command_line(environment: Mapping[str, str]) -> Ask:
    """Ask with the command."""

    def ask(command: str, *arguments: str) -> Any:
        done = subprocess.run(
            [str(PROGRAM), command, *arguments, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout:
            raise SystemExit(f"extract {command} {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    return ask


def through(assistant: Assistant) -> Ask:
    """Ask as an assistant does."""

    def ask(command: str, *arguments: str) -> Any:
        named: dict[str, object] = {}
        for each in arguments:
            if each.startswith("--"):
                named["only"] = each.removeprefix("--")
            else:
                named["extract"] = each
        return assistant.ask(command, **named)

    return ask


class Questions:
    """What somebody on call asks."""

    def __init__(self, files: Mapping[str, Staged], begun: datetime, ask: Ask) -> None:
        self.files, self.begun, self._ask = files, begun, ask

    def every(self) -> Iterator[Verdict]:
        yield self._states("how is every extract?", [], tuple(State))
        yield self._runs()
        yield self._doctor("dagster", ("no heartbeat", "scheduler"))
        yield self._doctor("schedules and sensors", ("cron_7_3_1_1_any",))
        yield from self.of_tools()

    def of_tools(self) -> Iterator[Verdict]:
        """Those that the tools of an assistant answer whole."""
        bad = (State.FAILED, State.REFUSED, State.INVALID)
        yield self._states("what failed?", ["--failed"], bad)
        yield self._states("what is late?", ["--late"], (State.LATE, State.OVERDUE))
        yield self._failed(bad)
        of_folder: dict[tuple[str, tuple[str, ...]], list[Staged]] = defaultdict(list)
        for each in self.files.values():
            of_folder[each.folder, each.kinds].append(each)
        for alike in of_folder.values():
            for each in alike[:_OF_EACH_KIND]:
                yield self._why(each)

    def _states(self, question: str, options: list[str], states: tuple[State, ...]) -> Verdict:
        said, seconds = self._json("status", *options)
        found = {each["extract"]: each["state"] for each in said["extracts"]}
        truth = {path: each.state for path, each in self.files.items() if each.state in states}
        top = " ".join(said["problems"])
        words = ("the daemon is silent", "the schedule cron_7_3_1_1_any", "is switched off")
        right = all(each in top for each in words)
        return _compared(question, ["status", *options], truth, found, seconds, also=right)

    def _failed(self, states: tuple[State, ...]) -> Verdict:
        said, seconds = self._json("failed")
        found = {each["extract"]: each["state"] for each in said["failed"]}
        truth = {path: each.state for path, each in self.files.items() if each.state in states}
        helps = all(each["next_step"] and each["what"] for each in said["failed"])
        return _compared(
            "what failed, and what next?", ["failed"], truth, found, seconds, also=helps
        )

    def _runs(self) -> Verdict:
        since = self.begun.strftime("%Y-%m-%dT%H:%MZ")
        said, seconds = self._json("runs", "--since", since)
        found: dict[str, list[str]] = defaultdict(list)
        for each in said["runs"]:
            told = f"{each['outcome']}: {each['failure']}" if each["failure"] else each["outcome"]
            (path,) = each["extracts"]
            held = told in ("queued", "running") and path.startswith("pool/behind")
            found[path].append("waits" if held else told)
        truth = {path: sorted(each.outcomes) for path, each in self.files.items() if each.outcomes}
        said_of = {path: sorted(outcomes) for path, outcomes in found.items()}
        return _compared("what ran?", ["runs", "--since", since], truth, said_of, seconds)

    def _doctor(self, subject: str, words: tuple[str, ...]) -> Verdict:
        said, seconds = self._json("doctor")
        (finding,) = (each for each in said if each["subject"] == subject)
        right = not finding["ok"] and all(word in finding["detail"] for word in words)
        truth = f"red: {', '.join(words)}"
        return Verdict(f"is {subject} well?", "doctor", truth, finding["detail"], right, seconds)

    def _why(self, each: Staged) -> Verdict:
        said, seconds = self._json("why", each.path)
        kinds = [reason["kind"] for reason in said["reasons"]]
        wanted = [str(kind) for kind in each.kinds]
        right = said["state"] == each.state and set(wanted) <= set(kinds)
        right = right and kinds[:1] == (wanted or kinds)[:1]
        truth = f"{each.state}: {', '.join(wanted)}"
        answer = f"{said['state']}: {', '.join(kinds)}"
        return Verdict(f"why {each.path}?", f"why {each.path}", truth, answer, right, seconds)

    def _json(self, command: str, *arguments: str) -> tuple[Any, float]:
        begun = time.monotonic()
        answer = self._ask(command, *arguments)
        return answer, time.monotonic() - begun


def _compared(
    question: str,
    command: list[str],
    truth: Mapping[str, Any],
    found: Mapping[str, Any],
    seconds: float,
    *,
    also: bool = True,
) -> Verdict:
    """The verdict on an answer about many extracts; what differs is told."""
    differ = [
        f"{path} is {truth.get(path)}, and it says {found.get(path)}"
        for path in sorted(truth.keys() | found.keys())
        if truth.get(path) != found.get(path)
    ]
    told = "; ".join(differ) or ("the same" if also else "the same, but its other words are not")
    right = not differ and also
    return Verdict(question, " ".join(command), f"{len(truth)} extracts", told, right, seconds)
