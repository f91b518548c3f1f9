"""What the commands that change or fetch something print with `--json`, as in `cli.answers`."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from extract_project.cli.answers import Answer
from extract_project.outcome import Outcome


class PinAnswer(Answer):
    """`extract pin` and `extract unpin`: a version, and whether it is pinned now."""

    extract: str
    partition: str | None
    uri: str
    version_id: str
    pinned: bool
    by: str | None
    reason: str | None
    pinned_at: AwareDatetime | None


class FetchedFile(Answer):
    """A file that was written."""

    file: str
    bytes: int | None
    """Null for a pipe or a device."""


class GetAnswer(Answer):
    """`extract get`: the version that was downloaded, and the files that it is in now."""

    extract: str
    partition: str | None
    uri: str
    version_id: str
    rows: int | None
    bytes: int
    """Of the version, with all its parts; a decompressed file has others."""
    data_sha256: str | None
    verified: bool
    """Whether each file was compared with the checksum recorded when it was published."""
    files: tuple[FetchedFile, ...]


class PulledFile(Answer):
    """A file of the manifest that differs in the folder."""

    file: str
    change: Literal["added", "changed", "removed", "kept"]
    """`kept`: it was changed here and in the bucket, so it stays as it is here."""
    version_id: str | None
    """Of what the bucket has; null if it was removed there."""


class PullAnswer(Answer):
    """`extract pull`: what was fetched, and what was kept."""

    manifest: str
    folder: str
    files: tuple[PulledFile, ...]


class PushedFile(Answer):
    """A file that was uploaded or removed."""

    file: str
    change: Literal["added", "changed", "removed"]
    version_id: str | None
    """Null if it was removed."""


class UnseenFile(Answer):
    """A file that somebody else has changed since this folder saw it."""

    file: str
    message: str
    diff: tuple[str, ...]
    """A line each: theirs and yours."""


class InvalidExtract(Answer):
    """An extract that the deployment cannot load."""

    extract: str
    problems: tuple[str, ...]


class LoadedFiles(Answer):
    """What became of the pushed files in the deployment."""

    live: tuple[str, ...]
    not_live: tuple[str, ...]
    """Files of the manifest that are newer than what the deployment has loaded."""
    refused: str | None
    """Why they are not live."""
    invalid: tuple[InvalidExtract, ...]

    @property
    def all_live(self) -> bool:
        return not self.refused and not self.invalid


class PushAnswer(Answer):
    """`extract push`: what was pushed, or why nothing was."""

    manifest: str
    pushed: tuple[PushedFile, ...]
    only_in_bucket: tuple[str, ...]
    """Files that the folder does not have, and that stay: they are removed with --delete."""
    unchanged: int
    behind: tuple[str, ...]
    """Files that are newer in the bucket, and left as they are there."""
    unseen: tuple[UnseenFile, ...]
    refusals: tuple[str, ...]
    """Why files should not be pushed; pushed in spite of them only with --force."""
    loaded: LoadedFiles | None
    """Null if it was not waited for, or no deployment answered."""


class RanExtract(Answer):
    """One extract of a run."""

    extract: str
    outcome: Outcome
    """`refused`: an audit refused it. `skipped`: an upstream extract of the same run failed."""
    result: str | None
    """Whether there is a new version: `published as a new version`, `unchanged: …`."""
    rows: int | None
    bytes: int | None
    uri: str | None
    version_id: str | None
    """The version that is current after it."""
    sql_version: str | None
    """The version of the SQL that ran."""
    cause: str | None
    """Of a failure, as in `extract failed`."""
    failure_report: str | None


class RunAnswer(Answer):
    """`extract run`: a run and its extracts."""

    run_id: str
    url: str
    """The run's page."""
    outcome: Outcome
    partition: str | None
    extracts: tuple[RanExtract, ...]


class MaterializedExtract(RanExtract):
    """One extract, or one of its partitions, that was materialized without a deployment."""

    partition: str | None
    run_id: str | None
    """As in the version's metadata; null if it was skipped."""


class MaterializeAnswer(Answer):
    """`extract materialize`: what became of each extract, in the order in which they ran."""

    snapshot: str
    """The id of the snapshot of the manifest."""
    extracts: tuple[MaterializedExtract, ...]


class RerunAnswer(Answer):
    """`extract rerun`: each run that was launched; none if nothing had failed."""

    runs: tuple[RunAnswer, ...]
    invalid: tuple[InvalidExtract, ...]
    """Extracts that failed and are not run again, since their files are invalid."""


class BackfilledPartition(Answer):
    """One partition of a backfill."""

    partition: str
    outcome: Outcome
    """`queued`: it was not run (yet)."""
    run_id: str | None


class BackfillAnswer(Answer):
    """`extract backfill`: the backfill and its partitions; none if nothing was missing."""

    extract: str
    backfill_id: str | None
    url: str | None
    """The backfill's page."""
    outcome: Outcome
    error: str | None
    """Why Dagster could not launch all runs."""
    partitions: tuple[BackfilledPartition, ...]


class ReleaseAnswer(RunAnswer):
    """`extract release`: the run that publishes in spite of the checks."""

    released_run_id: str
    """The run whose result was refused."""
    by: str
    reason: str


class RollbackAnswer(Answer):
    """`extract rollback`: the older version, and the new one that has its bytes."""

    extract: str
    partition: str | None
    run_id: str | None
    """Null if it was done without Dagster."""
    restored_from: str
    """VersionId of the older version."""
    by: str
    reason: str
    uri: str | None
    version_id: str | None
    """Of the new, current version; null if the run failed."""
    replaced: str | None
    """VersionId of the version that was current before."""
    restored_at: AwareDatetime | None
    rows: int | None
    failure_report: str | None
