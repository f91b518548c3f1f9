"""Every way in which this project fails on purpose, in one screen.

    ExtractError
    ├── SettingsError          the environment is missing something, or says something impossible
    ├── BucketError            a bucket is absent, unversioned, or refuses us
    ├── StoreError             the object store refused, or did not answer (transient or not)
    │   ├── StoreRefused       it answered: `code` says why
    │   │   └── NoSuchObject   there is no such object or version
    │   └── StoreUnreachable   it did not answer
    ├── ManifestError          no such SQL file, or one that is invalid
    ├── WarehouseError         the warehouse refused or lost the query (transient or not)
    │   ├── QueryTimeout       the query took longer than its header allows
    │   └── QueryCancelled     somebody ended the query in the warehouse
    ├── RunEnded               the run was terminated, or its task stopped
    ├── TypeMappingError       a column cannot be written without losing something
    ├── Refused                the result did not pass its audit
    ├── AuditError             a check cannot be carried out as the header states it
    ├── SchemaError            the result's columns are not those declared, or those published
    ├── IncrementError         new rows cannot be added to what is published
    ├── ReleaseError           what is to be released was not refused, or not like this
    ├── StagingError           the result could not be encoded or uploaded
    ├── DiskFull               the local disk takes no more of what the run puts there
    ├── Superseded             a run that started later has already published
    ├── DeploymentError        no Dagster answers, or it does not do what it was asked
    ├── AlertError             a message did not leave through its channel (transient or not)
    ├── EmbeddedError          a part of the embedded installation does not start
    └── NotPublished           what was asked for is not in the data bucket

A message says what happened, what was expected, and what to do next. `cause` tells whose business
it is; `transient`, whether the same attempt may well succeed a minute later: only then is an
extract retried by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Cause(StrEnum):
    """What kind of failure it is: who has to do something about it, and what."""

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
    """A setting is missing or impossible; the text names the variable."""

    cause = Cause.SETTINGS


class BucketError(ExtractError):
    """A bucket is not there, not versioned, or not allowed; the text has the command that helps."""

    cause = Cause.S3


class StoreError(ExtractError):
    """The object store did not do what it was asked."""

    cause = Cause.S3


class StoreRefused(StoreError):
    """The store answered, and refused; `code` is its own name for the reason."""

    def __init__(self, message: str, *, code: str, cause: Cause, transient: bool) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause
        self.transient = transient


class NoSuchObject(StoreRefused):
    """There is no such object, or no such version of it."""


class StoreUnreachable(StoreError):
    """The store did not answer: whether it carried out the request is not known."""

    def __init__(self, message: str, *, cause: Cause, transient: bool) -> None:
        super().__init__(message)
        self.cause = cause
        self.transient = transient


class ManifestError(ExtractError):
    """What was asked for is no valid extract of the manifest."""

    cause = Cause.SQL


class WarehouseError(ExtractError):
    """The warehouse refused or lost a query.

    `line` and `column` (from 1) point into the SQL file where the warehouse said so: the text is
    sent as the author wrote it, so the warehouse's line is the file's line. `query_id` and
    `query_url` lead to the query in the warehouse's own history, where there is one.
    """

    cause = Cause.SQL
    query_id: str | None = None
    query_url: str | None = None

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
    """The query was ended in the warehouse, by somebody or something other than this run."""

    cause = Cause.CANCELLED


class RunEnded(ExtractError):
    """Somebody terminated the run, or stopped its task."""

    cause = Cause.CANCELLED


class Refused(ExtractError):
    """The result did not pass its audit; the checks that refuse it say why."""

    cause = Cause.AUDIT


class TypeMappingError(ExtractError):
    """A column's type or value does not fit any file type without loss."""

    cause = Cause.SQL


class AuditError(ExtractError):
    """A check names something that the result does not have, or its query fails."""

    cause = Cause.AUDIT


class SchemaError(ExtractError):
    """The result's columns are not those that the header declares, or that readers have.

    `check` is the check that it breaks; `faults` say what differs, each with the header's key that
    it belongs to; `advice` is what to do next.
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
    """New rows cannot be added to what is published; the text has the command that helps."""

    cause = Cause.SQL

    def __init__(self, message: str, *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause or type(self).cause


class ReleaseError(ExtractError):
    """A run cannot be released: it did not refuse this extract, partition and SQL, or no check of
    it that can be released did.
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
    """Checks and comparisons need more of the local disk than there is; the text names the path."""

    cause = Cause.DISK


class Superseded(ExtractError):
    """Another run of the same extract started later and has published: newer data stays."""

    cause = Cause.SUPERSEDED


class DeploymentError(ExtractError):
    """The running deployment cannot be reached, or refuses."""

    cause = Cause.SETTINGS


class AlertError(ExtractError):
    """A channel did not take a message; the text names the setting to correct, and no secret.

    `partly`: some of its recipients have the message, and would get it twice.
    """

    def __init__(self, message: str, *, transient: bool = False, partly: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.partly = partly


class EmbeddedError(ExtractError):
    """An embedded server ended, is not installed, or its directory is in use."""


class NotPublished(ExtractError):
    """No such key or version in the data bucket."""

    cause = Cause.S3
