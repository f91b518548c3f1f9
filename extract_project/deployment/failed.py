"""What has failed in a running deployment, as it answers, and the runs that would fix it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel

from extract_project.deployment import questions
from extract_project.deployment.client import Deployment
from extract_project.manifest.names import name_of
from extract_project.units import parse_duration

SENSOR = "rerun_failed"
"""The sensor that answers."""


class Question(BaseModel):
    """A filter on failures; by default, all of them."""

    ask: str = "failed"
    group: str | None = None
    since: AwareDatetime | None = None


class FailedExtract(BaseModel):
    """An extract or a partition whose latest attempt failed, or was skipped because another
    failed."""

    extract: str
    partition: str | None
    group: str
    state: str
    cause: str | None
    run_id: str
    at: AwareDatetime
    failure_report: str

    @property
    def name(self) -> str:
        return name_of(self.extract, self.partition)


class Rerun(BaseModel):
    """The extracts or partitions of one new run, the failed one first."""

    members: tuple[FailedExtract, ...]
    tags: dict[str, str]


class Answer(BaseModel):
    """All failures, grouped into the runs that would fix them."""

    reruns: tuple[Rerun, ...]
    running: tuple[str, ...] = ()
    """Names of extracts that wait or run at this moment: neither failed nor successful."""

    @property
    def members(self) -> list[FailedExtract]:
        return [each for rerun in self.reruns for each in rerun.members]


def ask(deployment: Deployment, question: Question) -> Answer:
    """Ask the running deployment for failures."""
    return questions.ask(deployment, SENSOR, question, Answer)


def launch(
    deployment: Deployment, answered: Answer
) -> Iterator[tuple[str, Sequence[FailedExtract]]]:
    """Launch every rerun; yields each run's id and the names in it."""
    for rerun in answered.reruns:
        paths = [each.extract for each in rerun.members]
        run_id = deployment.launch(paths, rerun.members[0].partition, rerun.tags)
        yield run_id, rerun.members


def ago(text: str | None) -> datetime | None:
    """`6h` as the time six hours ago; raises ValueError for anything but a duration."""
    return None if text is None else datetime.now(UTC) - parse_duration(text)
