"""The requests of BigQuery's REST API (https://cloud.google.com/bigquery/docs/reference/rest)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from extract_project.errors import WarehouseError
from extract_project.warehouses.bigquery.errors import DUPLICATE
from extract_project.warehouses.bigquery.names import TableName
from extract_project.warehouses.rest import Http, RequestRefused

_NOT_FOUND, _CONFLICT = 404, 409
_UNKNOWN = (400, 403, _NOT_FOUND)
Job = Mapping[str, Any]
"""A job as the API describes it."""


@dataclass(frozen=True)
class JobName:
    """The id and the location by which the API finds a job."""

    id: str
    location: str | None


@dataclass(frozen=True)
class Client:
    """The requests of one project, which pays for its jobs."""

    http: Http
    project: str

    def detached(self) -> Client:
        """This client, for the requests that carry out a cancel, which a cancel must not end."""
        return replace(self, http=self.http.detached())

    def dry_run(self, location: str | None, configuration: Mapping[str, Any]) -> Job:
        """The job that a query would be; nothing runs, and nothing is billed."""
        reference = {"projectId": self.project, **({"location": location} if location else {})}
        body = {"jobReference": reference, "configuration": {**configuration, "dryRun": True}}
        return self.http.ask("POST", self._path("jobs"), body)

    def start(self, name: JobName, configuration: Mapping[str, Any]) -> Job:
        """Start a job.

        Sending the request again is safe, because the id is ours: if the first answer was lost,
        BigQuery answers the second request that the job exists.
        """
        reference = {"projectId": self.project, "jobId": name.id}
        reference |= {"location": name.location} if name.location else {}
        body = {"jobReference": reference, "configuration": configuration}
        try:
            return self.http.ask("POST", self._path("jobs"), body)
        except RequestRefused as refused:
            if refused.status != _CONFLICT or refused.code != DUPLICATE:
                raise
            return self._started(name)

    def job(self, name: JobName) -> Job:
        """A job as it is now."""
        return self.http.ask("GET", self._path("jobs", name.id, **_where(name)))

    def outcome(self, name: JobName) -> Mapping[str, Any]:
        """The columns and the number of rows of a finished query, without rows."""
        path = self._path("queries", name.id, maxResults="0", **_where(name))
        return self.http.ask("GET", path)

    def cancel(self, name: JobName) -> None:
        """Ask BigQuery to end a job; the job's state tells when it has ended."""
        self.http.ask("POST", self._path("jobs", name.id, "cancel", **_where(name)), {})

    def table(self, name: TableName) -> Mapping[str, Any]:
        """The metadata of a table."""
        return self.http.ask("GET", f"/bigquery/v2/{quote(name.path)}")

    def _started(self, name: JobName) -> Job:
        """The job that BigQuery says exists.

        For a while, BigQuery may still not find it (python-bigquery's issue 2134).
        """
        end = time.monotonic() + self.http.patience.busy_seconds
        while True:
            try:
                return self.job(name)
            except RequestRefused as refused:
                if refused.status != _NOT_FOUND or time.monotonic() >= end:
                    raise
            self.http.cancellation.pause(self.http.patience.first_pause)

    def _path(self, *parts: str, **options: str) -> str:
        path = "/".join(quote(each, "") for each in (self.project, *parts))
        asked = f"?{urlencode(options)}" if options else ""
        return f"/bigquery/v2/projects/{path}{asked}"


def _where(name: JobName) -> dict[str, str]:
    return {"location": name.location} if name.location else {}


def is_missing(error: WarehouseError) -> bool:
    """Whether a request was refused because of the table that it names.

    The table does not exist, cannot exist (`events_*`), or must not be seen.
    """
    refused = isinstance(error, RequestRefused) and error.status in _UNKNOWN
    return refused and not error.transient
