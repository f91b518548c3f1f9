"""The schedules of a group at EventBridge Scheduler: read, compare, make, change and remove them.

Only those that were made from the same manifest are touched: their description begins with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from extract_project.errors import SchedulesError
from extract_project.eventbridge.settings import SchedulerSettings
from extract_project.eventbridge.tasks import RunTask
from extract_project.eventbridge.wanted import Schedule, Wanted

_READERS = 8
_LONGEST_DESCRIPTION = 512
_LONGEST_MANIFEST = 256
"""Characters of the manifest's address in a description, which a person has to read too."""
_COMPARED = (
    *("ScheduleExpression", "ScheduleExpressionTimezone", "State", "Description"),
    *("FlexibleTimeWindow", "Target"),
)
_SHOWN = {
    "ScheduleExpression": "times",
    "ScheduleExpressionTimezone": "time zone",
    "State": "state",
    "Description": "description",
    "FlexibleTimeWindow": "time window",
    "Target": "task",
}
_OPTIONAL = "DeadLetterConfig"
_GRANT = "correct EXTRACT_SCHEDULER__…, or grant what is missing (docs/none.md lists the actions)"
_NEXT_STEPS = {
    "ConflictException": "somebody else has made or changed it: look at it, and plan again",
    "ServiceQuotaExceededException": "ask AWS for a higher quota of schedules",
    "ThrottlingException": "run the command again in a minute",
}
"""What to do next, by AWS's code; `_GRANT` for others."""
_OF_ONE = {
    *("ConflictException", "ValidationException", "ResourceNotFoundException"),
    "InternalServerException",
}
"""Codes that say nothing about the other schedules."""

Kind = Literal["created", "changed", "removed", "unchanged", "kept"]
_APPLIED = ("created", "changed", "removed")


@dataclass(frozen=True)
class Change:
    """What becomes of one schedule."""

    kind: Kind
    """`kept`: its file is invalid or its schedule refused, so it stays as it is."""
    name: str
    extract: str
    expression: str
    timezone: str
    differences: tuple[str, ...] = ()
    """Of a change."""
    request: Mapping[str, Any] | None = None
    """The whole schedule, where it is made or changed."""


@dataclass(frozen=True)
class Applied:
    """A change that was done, or refused."""

    change: Change
    refusal: str = ""


class _RefusedOne(SchedulesError):
    """AWS refuses one schedule, and may accept the others."""


class Deployed:
    """The schedules of one manifest in one group."""

    def __init__(self, settings: SchedulerSettings, manifest: str) -> None:
        import boto3

        self._settings = settings
        self._mark = f"extract deploy-schedules from {_shortened(manifest)}: "
        with _explained():
            self._scheduler: Any = boto3.client("scheduler")
            self._ecs: Any = boto3.client("ecs")

    def plan(self, wanted: Wanted) -> list[Change]:
        """What has to be done, by name; raises SchedulesError."""
        with _explained():
            task = RunTask.found(self._ecs, self._settings)
            there = self._read()
        requests = {each.name: self._request(each, task) for each in wanted.schedules}
        changes = [
            _change(each, requests[each.name], there.get(each.name)) for each in wanted.schedules
        ]
        for name, found in there.items():
            if name not in requests:
                kind: Kind = "kept" if name.startswith(wanted.unknown) else "removed"
                extract = found["Description"].removeprefix(self._mark).partition(".sql")[0]
                changes.append(
                    Change(
                        kind,
                        name,
                        extract,
                        found["ScheduleExpression"],
                        found["ScheduleExpressionTimezone"],
                    )
                )
        return sorted(changes, key=lambda each: (each.extract, each.name))

    def apply(self, changes: Sequence[Change]) -> Iterator[Applied]:
        """Do it, and give each change once it is done or refused.

        Raises SchedulesError if no other change can be done either.
        """
        with _explained():
            self._make_group()
        for each in changes:
            if each.kind not in _APPLIED:
                continue
            try:
                with _explained():
                    self._do(each)
            except _RefusedOne as refused:
                yield Applied(each, str(refused))
            else:
                yield Applied(each)

    def _do(self, change: Change) -> None:
        if change.kind == "created":
            self._scheduler.create_schedule(**change.request or {})
        elif change.kind == "changed":
            self._scheduler.update_schedule(**change.request or {})
        else:
            with suppress(self._scheduler.exceptions.ResourceNotFoundException):
                self._scheduler.delete_schedule(GroupName=self._settings.group, Name=change.name)

    def _read(self) -> dict[str, Mapping[str, Any]]:
        group, errors = self._settings.group, self._scheduler.exceptions
        try:
            self._scheduler.get_schedule_group(Name=group)
        except errors.ResourceNotFoundException:
            return {}
        pages = self._scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        names = [each["Name"] for page in pages for each in page["Schedules"]]

        def read(name: str) -> Mapping[str, Any] | None:
            try:
                found: Mapping[str, Any] = self._scheduler.get_schedule(GroupName=group, Name=name)
            except errors.ResourceNotFoundException:  # removed since
                return None
            return found

        with ThreadPoolExecutor(_READERS) as pool:
            found = [each for each in pool.map(read, names) if each]
        return {
            each["Name"]: each
            for each in found
            if (each.get("Description") or "").startswith(self._mark)
        }

    def _make_group(self) -> None:
        try:
            self._scheduler.get_schedule_group(Name=self._settings.group)
        except self._scheduler.exceptions.ResourceNotFoundException:
            self._scheduler.create_schedule_group(Name=self._settings.group)

    def _request(self, schedule: Schedule, task: RunTask) -> dict[str, Any]:
        described = f"{self._mark}{schedule.extract}.sql, {schedule.written}"
        return {
            "GroupName": self._settings.group,
            "Name": schedule.name,
            "Description": described[:_LONGEST_DESCRIPTION],
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Target": task.target(schedule, self._settings),
        }


def _shortened(manifest: str) -> str:
    """The same, or its beginning and a digest that no other manifest has."""
    if len(manifest) <= _LONGEST_MANIFEST:
        return manifest
    digest = sha256(manifest.encode()).hexdigest()
    return f"{manifest[: _LONGEST_MANIFEST - len(digest) - 1]}-{digest}"


def _change(
    schedule: Schedule, request: Mapping[str, Any], found: Mapping[str, Any] | None
) -> Change:
    differences = () if found is None else tuple(_differences(request, found))
    kind: Kind = "created" if found is None else "changed" if differences else "unchanged"
    return Change(
        kind,
        schedule.name,
        schedule.extract,
        schedule.expression,
        schedule.timezone,
        differences,
        request,
    )


def _differences(request: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for key in _COMPARED:
        if key == "ScheduleExpression" and request[key] != found.get(key):
            yield f"times: were {found.get(key)}"
        elif not _says(request[key], found.get(key)):
            yield _SHOWN[key]


def _says(wanted: Any, found: Any) -> bool:
    """Whether what AWS has says all that is wanted; it adds defaults of its own."""
    if not isinstance(wanted, Mapping):
        return bool(wanted == found)
    if not isinstance(found, Mapping) or (_OPTIONAL in found and _OPTIONAL not in wanted):
        return False
    return all(_says(value, found.get(key)) for key, value in wanted.items())


@contextmanager
def _explained() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        next_step = _NEXT_STEPS.get(code, _GRANT)
        raise (_RefusedOne if code in _OF_ONE else SchedulesError)(
            f"AWS refused {error.operation_name} ({code}): {message}; {next_step}"
        ) from None
    except BotoCoreError as error:
        raise SchedulesError(
            f"EventBridge Scheduler or ECS could not be asked: {error}; set AWS_REGION and "
            f"credentials"
        ) from None
