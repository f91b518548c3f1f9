"""One query job at the API: started under an id of ours, asked for, cancelled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from extract_project.errors import WarehouseError
from extract_project.metrics import Usage
from extract_project.warehouses.bigquery.client import Client, Job, JobName
from extract_project.warehouses.meaning import incomplete, understood
from extract_project.warehouses.remote import Status
from extract_project.warehouses.rest import Http

_CONSOLE = "https://console.cloud.google.com/bigquery"


@dataclass(frozen=True)
class QueryJob:
    """A query with its values."""

    client: Client
    job: JobName
    configuration: Mapping[str, Any]
    name = "bigquery job"

    @property
    def http(self) -> Http:
        return self.client.http

    def detached(self) -> QueryJob:
        return replace(self, client=self.client.detached())

    def start(self) -> Status:
        return Status(self.job.id, self.client.start(self.job, self.configuration))

    def status(self, query_id: str) -> Status:
        answer = self.client.job(self.job)
        with understood("what bigquery says of the job"):
            state, told_of = answer["status"]["state"], answer["jobReference"]["jobId"]
        if told_of != self.job.id:
            raise incomplete(
                f"bigquery was asked about job {self.job.id}, and answered about {told_of}"
            )
        return Status(self.job.id, answer, state == "DONE", state == "PENDING")

    def cancel(self, query_id: str) -> None:
        self.client.cancel(self.job)

    def told_to_wait(self, query_id: str, seconds: float) -> None:
        """Log that the job waits: all slots of the project are in use."""
        logging.getLogger(__name__).warning(
            "bigquery job %s has waited %.0f s for slots", query_id, seconds
        )

    def located(self, error: WarehouseError, query_id: str) -> WarehouseError:
        error.query_id = query_id
        error.query_url = self.url
        return error

    def by_hand(self, query_id: str) -> str:
        where = f" --location={self.job.location}" if self.job.location else ""
        return f"bq --project_id={self.client.project}{where} cancel {query_id}"

    @property
    def url(self) -> str:
        """The job's page in the console."""
        location = self.job.location or "US"
        place = {"project": self.client.project, "j": f"bq:{location}:{self.job.id}"}
        return f"{_CONSOLE}?{urlencode({**place, 'page': 'queryresults'}, safe=':')}"


def usage_of(job: Job) -> Usage | None:
    """What a finished job used, if BigQuery reports it."""
    statistics = job.get("statistics") or {}
    began, ended = statistics.get("startTime"), statistics.get("endTime")
    query = statistics.get("query") or {}
    if not began or not ended:
        return None
    if query.get("cacheHit"):
        basis = "from the cache: nothing is billed"
    else:
        slots = int(query.get("totalSlotMs") or 0) / 1000
        basis = f"{slots:,.0f} slot-seconds; what a byte or a slot costs is not known here"
    return Usage(
        seconds=(int(ended) - int(began)) / 1000,
        bytes_billed=int(query.get("totalBytesBilled") or 0),
        basis=basis,
    )
