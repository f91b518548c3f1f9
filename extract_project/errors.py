"""All errors that this project raises on purpose.

    ExtractError
    ├── SettingsError          a setting is missing or invalid
    ├── BucketError            a bucket is missing, unversioned, or denies access
    ├── StoreError             a request to the object store failed (transient or not)
    │   ├── StoreRefused       it answered with an error: `code` says which
    │   │   └── NoSuchObject   there is no such object or version
    │   └── StoreUnreachable   it did not answer
    ├── ManifestError          a SQL file does not exist or is invalid
    ├── WarehouseError         the warehouse refused or lost the query (transient or not)
    │   ├── QueryTimeout       the query took longer than its header allows
    │   └── QueryCancelled     the query was cancelled in the warehouse, not by this run
    ├── RunEnded               the run was terminated, or its task stopped
    ├── TypeMappingError       a column cannot be written without loss
    ├── Refused                the result did not pass its audit
    ├── AuditError             a check cannot be carried out as the header defines it
    ├── SchemaError            the result's columns differ from those declared or published
    ├── IncrementError         new rows cannot be added to the published ones
    ├── ReleaseError           the release does not match a refusal
    ├── StagingError           the result could not be encoded or uploaded
    ├── DiskFull               the local disk is full
    ├── OutOfMemory            the next step would need more memory than there is
    ├── Superseded             a run that started later has already published
    ├── DeploymentError        the Dagster deployment does not answer, or refuses a request
    ├── AlertError             a channel could not send a message (transient or not)
    ├── SchedulesError         AWS refuses to have, or to tell of, schedules
    ├── EmbeddedError          a part of the embedded installation does not start
    └── NotPublished           the data bucket does not have the key or version

A message says what happened, what was expected, and what to do next. `cause` classifies the
failure. `transient` says that the same attempt may succeed a minute later; only then is an
extract retried automatically.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Cause(StrEnum):
    """The kind of a failure. It decides who has to act, and the next step in a failure report."""

    SQL = "sql"
    PERMISSION = "permission"
    SIGN_IN = "sign-in"
    BUSY = "warehouse busy"
    NETWORK = "network"
    S3 = "s3"
    AUDIT = "audit refused"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    MEMORY = "out of memory"
    DISK = "disk full"
    KILLED = "killed"
    SETTINGS = "settings"
    OURS = "ours"


class ExtractError(Exception):
    """Base of all errors that this project raises; its text is meant for the person on call."""

    transient: bool = False
    cause: Cause = Cause.OURS


class SettingsError(ExtractError):
    """A setting is missing or invalid; the text names the variable."""

    cause = Cause.SETTINGS


class BucketError(ExtractError):
    """A bucket is missing, unversioned, or denies access; the text has the command that helps."""

    cause = Cause.S3


class StoreError(ExtractError):
    """A request to the object store failed."""

    cause = Cause.S3


class StoreRefused(StoreError):
    """The store answered with an error; `code` is the store's own name for it."""

    def __init__(self, message: str, *, code: str, cause: Cause, transient: bool) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause
        self.transient = transient


class NoSuchObject(StoreRefused):
    """There is no such object, or no such version of it."""


class StoreUnreachable(StoreError):
    """The store did not answer: it is unknown whether it carried out the request."""

    def __init__(self, message: str, *, cause: Cause, transient: bool) -> None:
        super().__init__(message)
        self.cause = cause
        self.transient = transient


class ManifestError(ExtractError):
    """A SQL file does not exist in the manifest, or is not a valid extract."""

    cause = Cause.SQL


class UnknownExtract(ManifestError):
    """No SQL file in the manifest has this path."""


class WarehouseError(ExtractError):
    """The warehouse refused or lost a query.

    `line` and `column` (from 1) point into the SQL file, if the warehouse gave a position: the text
    is sent as the author wrote it, so the warehouse's line is the file's line. `query_id` and
    `query_url` lead to the query in the warehouse's own history, if it has one.
    """

    cause = Cause.SQL
    query_id: str | None = None
    query_url: str | None = None
    key: str | None = None
    """The header key that has to be changed, if it is one: its place is that of the error."""

    def __init__(
        self,
        message: str,
        *,
        cause: Cause | None = None,
        line: int | None = None,
        column: int | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.cause = cause or type(self).cause
        self.line = line
        self.column = column
        self.transient = transient


class QueryTimeout(WarehouseError):
    """The extract took longer than its `timeout`; the query has been cancelled."""

    cause = Cause.TIMEOUT


class QueryCancelled(WarehouseError):
    """The query was cancelled in the warehouse, but not by this run."""

    cause = Cause.CANCELLED


class RunEnded(ExtractError):
    """The run was terminated, or its task stopped."""

    cause = Cause.CANCELLED


class Refused(ExtractError):
    """The result did not pass its audit; the failed checks say why."""

    cause = Cause.AUDIT


class TypeMappingError(ExtractError):
    """A column's type or value does not fit any file type without loss."""

    cause = Cause.SQL


class AuditError(ExtractError):
    """A check names a column that the result does not have, or its query fails."""

    cause = Cause.AUDIT


class SchemaError(ExtractError):
    """The result's columns differ from those that the header declares or that are published.

    `check` is the check that fails; `faults` are the differences, each with the path of the header
    key that it belongs to; `advice` is what to do next.
    """

    cause = Cause.AUDIT

    def __init__(
        self, check: str, faults: Sequence[tuple[tuple[str, ...], str]], advice: str
    ) -> None:
        super().__init__("\n".join(text for _, text in faults))
        self.check = check
        self.faults = tuple(faults)
        self.advice = advice


class IncrementError(ExtractError):
    """New rows cannot be added to the published ones; the text has the command that helps."""

    cause = Cause.SQL

    def __init__(self, message: str, *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause or type(self).cause


class ReleaseError(ExtractError):
    """The run to release did not refuse this extract, partition and SQL, or none of its failed
    checks can be released.
    """

    cause = Cause.AUDIT


class StagingError(ExtractError):
    """Encoding or uploading failed; the upload has been aborted and nothing is visible."""

    cause = Cause.S3

    def __init__(
        self, message: str, *, cause: Cause | None = None, transient: bool = False
    ) -> None:
        super().__init__(message)
        self.cause = cause or type(self).cause
        self.transient = transient


class DiskFull(ExtractError):
    """Checks and comparisons need more local disk than there is; the text names the path."""

    cause = Cause.DISK


class OutOfMemory(ExtractError):
    """The next step would need more memory than this process may take; the text has the size that
    is enough.
    """

    cause = Cause.MEMORY


class Superseded(ExtractError):
    """A run of the same extract that started later has already published; its newer data stays."""

    cause = Cause.SUPERSEDED


class DeploymentError(ExtractError):
    """The Dagster deployment cannot be reached, or refuses a request."""

    cause = Cause.SETTINGS


class AlertError(ExtractError):
    """A channel could not send a message; the text names the setting to correct, and no secret.

    `partly`: some recipients have the message already and would get it twice.
    """

    def __init__(self, message: str, *, transient: bool = False, partly: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.partly = partly


class SchedulesError(ExtractError):
    """EventBridge Scheduler or ECS refuses a request, or does not have what the settings name."""

    cause = Cause.SETTINGS


class EmbeddedError(ExtractError):
    """An embedded server died, is not installed, or its directory is in use."""


class NotPublished(ExtractError):
    """The data bucket does not have this key or version."""

    cause = Cause.S3
