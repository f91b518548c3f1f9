"""What the APIs do: jobs in their threads, temporary tables, metadata of tables."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from extract_project_tests.support.bigquery_server.engine import (
    Answer,
    Engine,
    Interrupted,
    QueryError,
)
from extract_project_tests.support.bigquery_server.sign_in import SignIn
from extract_project_tests.support.bigquery_server.storage import Break
from extract_project_tests.support.http_faults import Faults

Reply = dict[str, Any]
_STATUS = {
    "accessDenied": 403,
    "backendError": 503,
    "bytesBilledLimitExceeded": 400,
    "duplicate": 409,
    "invalid": 400,
    "invalidQuery": 400,
    "notFound": 404,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "authError": 401,
}


class Refused(Exception):
    """A request that is not accepted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = _STATUS[reason]
        error = {"message": message, "domain": "global", "reason": reason}
        self.reply = {"error": {"code": self.status, "message": message, "errors": [error]}}


@dataclass
class Job:
    """A job, from its start to its end."""

    id: str
    location: str
    configuration: Mapping[str, Any]
    state: str = "PENDING"
    answer: Answer | None = None
    error: QueryError | None = None
    created: float = field(default_factory=time.time)
    started: float = 0.0
    ended: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def sql(self) -> str:
        return str(self.configuration["query"]["query"])


@dataclass
class Service:
    """A project, `acme`, with datasets in `EU`."""

    engine: Engine
    project: str = "acme"
    location: str = "EU"
    address: str = ""
    bytes_read: int = 10 << 20
    """What each query reads, by the dry run and by the bill."""
    statement_type: str = ""
    """What a dry run says instead of what it finds."""
    running: threading.Event = field(default_factory=threading.Event)
    """Whether there are slots; jobs wait for them."""
    cancels_refused: int = 0
    """How many requests to cancel are lost without a word, counted from the first."""
    cancels: int = 0
    refuses: list[str] = field(default_factory=list)
    """The reasons for which the next inserts are refused."""
    hidden_for: int = 0
    """How many times a job that exists is not found."""
    on_poll: Callable[[Job], object] | None = None
    """Called when a job is asked for."""
    dry_runs: int = 0
    inserts: int = 0
    faults: Faults = field(default_factory=Faults)
    breaks: list[Break] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    tables: dict[str, Reply] = field(default_factory=dict)
    """The metadata of tables, by `dataset.table`."""
    behind: dict[str, Sequence[str]] = field(default_factory=dict)
    """The tables behind each view."""
    reads: list[tuple[str, int]] = field(default_factory=list)
    """The streams that were read, and from which row."""
    sessions: list[int] = field(default_factory=list)
    """How many streams each session was asked for."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.sign_in = SignIn()
        self.running.set()

    # The protocol's requests.

    def insert(self, body: Mapping[str, Any]) -> Reply:
        """A job, or a dry run of it."""
        configuration = body["configuration"]
        query = configuration["query"]
        if query.get("useLegacySql", True):
            raise Refused("invalid", "this double has no legacy SQL")
        if self.refuses:
            raise Refused(self.refuses.pop(0), "not now")
        try:
            if configuration.get("dryRun"):
                return self._dry_run(configuration)
            self._require_affordable(query)
        except QueryError as error:
            raise Refused(error.reason, error.message) from error
        reference = body.get("jobReference") or {}
        name = str(reference.get("jobId") or uuid4())
        self.inserts += 1
        with self._lock:
            if any(each.id == name for each in self.jobs):
                raise Refused("duplicate", f"Already Exists: Job {self.project}:EU.{name}")
            job = Job(name, str(reference.get("location") or self.location), configuration)
            self.jobs.append(job)
        pending = self._reply(job)  # also where this machine is slow, and the job done meanwhile
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return pending

    def job(self, job_id: str, location: str) -> Reply:
        job = self._job(job_id, location)
        if self.on_poll:
            self.on_poll(job)
        return self._reply(job)

    def cancel(self, job_id: str, location: str) -> Reply:
        """Answers at once, whether or not it helps."""
        job = self._job(job_id, location)
        self.cancels += 1
        if self.cancels > self.cancels_refused:
            self._finish(job, error=QueryError("stopped", "Job execution was cancelled"))
        return {"kind": "bigquery#jobCancelResponse", "job": self._reply(job)}

    def cancel_all(self) -> None:
        """End what still runs, when the server stops: nobody else would."""
        for job in list(self.jobs):
            self._finish(job, error=QueryError("stopped", "Job execution was cancelled"))

    def results(self, job_id: str, location: str) -> Reply:
        """Of a job that failed, its error."""
        job = self._job(job_id, location)
        if job.error:
            raise Refused("invalidQuery", job.error.message)
        reply: Reply = {"jobReference": self._reference(job), "jobComplete": job.answer is not None}
        if job.answer:
            reply["schema"] = {"fields": job.answer.fields}
            reply["totalRows"] = str(job.answer.announced)
        return reply

    def table(self, name: str) -> Reply:
        if not re.fullmatch(r"[\w.-]+", name):
            raise Refused("invalid", f"Invalid table ID {name}")
        if name not in self.tables:
            raise Refused("notFound", f"Not found: Table {self.project}:{name}")
        dataset, _, table = name.partition(".")
        reference = {"projectId": self.project, "datasetId": dataset, "tableId": table}
        return {"tableReference": reference, "type": "TABLE", **self.tables[name]}

    def result_of(self, table: str) -> Answer | None:
        """The rows of a temporary table."""
        job = next((each for each in self.jobs if _table(each) == table), None)
        return job.answer if job else None

    # Inside.

    def _dry_run(self, configuration: Mapping[str, Any]) -> Reply:
        self.dry_runs += 1
        query = configuration["query"]
        parameters = query.get("queryParameters") or ()
        read = self.engine.read(query["query"], parameters)
        kind = self.statement_type or read.kind
        statistics: Reply = {
            "statementType": kind,
            "totalBytesProcessed": str(self.bytes_read),
            "referencedTables": [
                {"projectId": self.project, "datasetId": dataset, "tableId": table}
                for name in read.tables
                for each in (name, *self.behind.get(name, ()))
                for dataset, _, table in [each.partition(".")]
            ],
        }
        if kind == "SELECT" and not set(read.tables) & self.behind.keys():
            zone = _zone(query)
            cursor = self.engine.cursor()
            answer = self.engine.run(cursor, query["query"], parameters, zone, dry=True)
            statistics["schema"] = {"fields": answer.described or answer.fields}
        return {
            "jobReference": {"projectId": self.project, "location": self.location},
            "configuration": configuration,
            "status": {"state": "DONE"},
            "statistics": {"query": statistics},
        }

    def _require_affordable(self, query: Mapping[str, Any]) -> None:
        limit = query.get("maximumBytesBilled")
        if limit is not None and int(limit) < self.bytes_read:
            raise QueryError(
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {limit}. {self.bytes_read} or higher "
                f"required.",
            )

    def _job(self, job_id: str, location: str) -> Job:
        found = next((each for each in self.jobs if each.id == job_id), None)
        if found and self.hidden_for:
            self.hidden_for -= 1
            found = None
        if found is None or found.location != location:
            raise Refused("notFound", f"Not found: Job {self.project}:{location}.{job_id}")
        return found

    def _run(self, job: Job) -> None:
        """The job's own thread, with the server's own timeout."""
        while not self.running.wait(0.02):
            if job.done.is_set():
                return
        cursor = self.engine.cursor()
        ended = threading.Event()
        threading.Thread(target=_interrupt, args=(job, cursor, ended), daemon=True).start()
        limit = float(job.configuration.get("jobTimeoutMs") or 21_600_000) / 1000
        timer = threading.Timer(limit, self._time_out, (job,))
        timer.daemon = True
        timer.start()
        with self._lock:
            if not job.done.is_set():
                job.state, job.started = "RUNNING", time.time()
        query = job.configuration["query"]
        try:
            parameters = query.get("queryParameters") or ()
            answer = self.engine.run(cursor, query["query"], parameters, _zone(query), dry=False)
            self._finish(job, answer=answer)
        except QueryError as error:
            self._finish(job, error=error)
        except Interrupted:
            pass
        finally:
            ended.set()
            timer.cancel()

    def _time_out(self, job: Job) -> None:
        self._finish(job, error=QueryError("stopped", "Job execution was cancelled: timed out"))

    def _finish(
        self, job: Job, answer: Answer | None = None, error: QueryError | None = None
    ) -> None:
        with self._lock:
            if not job.done.is_set():
                job.state, job.answer, job.error, job.ended = "DONE", answer, error, time.time()
                job.done.set()

    def _reference(self, job: Job) -> Reply:
        return {"projectId": self.project, "jobId": job.id, "location": job.location}

    def _reply(self, job: Job) -> Reply:
        status: Reply = {"state": job.state}
        if job.error:
            error = {"reason": job.error.reason, "message": job.error.message, "location": "query"}
            status |= {"errorResult": error, "errors": [error]}
        query = job.configuration["query"]
        destination = {
            "projectId": self.project,
            "datasetId": "_anonymous",
            "tableId": _table(job),
        }
        statistics: Reply = {"creationTime": _ms(job.created)}
        if job.started:
            statistics["startTime"] = _ms(job.started)
        if job.state == "DONE":
            statistics["endTime"] = _ms(job.ended)
            statistics["query"] = {
                "statementType": "SELECT",
                "totalBytesBilled": str(self.bytes_read),
                "totalSlotMs": "1500",
                "cacheHit": False,
            }
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{job.location}.{job.id}",
            "jobReference": self._reference(job),
            "configuration": {
                **job.configuration,
                "jobType": "QUERY",
                "query": {**query, "destinationTable": destination},
            },
            "status": status,
            "statistics": statistics,
        }


def _zone(query: Mapping[str, Any]) -> str:
    """That of the project, unless the job says another."""
    given = {each["key"]: each["value"] for each in query.get("connectionProperties") or ()}
    return str(given.get("time_zone", "America/Los_Angeles"))


def _table(job: Job) -> str:
    return f"anon{job.id.replace('-', '_')}"


def _ms(moment: float) -> str:
    return str(int(moment * 1000))


def _interrupt(job: Job, cursor: Any, ended: threading.Event) -> None:
    """Interrupt an abandoned query, repeatedly: DuckDB ignores an interrupt that comes before it
    has begun.
    """
    job.done.wait()
    while not ended.wait(0.02):
        cursor.interrupt()
