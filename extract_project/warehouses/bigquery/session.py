"""One project, signed in: a query that can be cancelled while it runs.

A statement is first checked by a dry run, which runs nothing and costs nothing: it gives the
columns, the bytes that the query reads, and what kind of statement BigQuery takes it for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extract_project.errors import Cause, WarehouseError
from extract_project.sql.bigquery import BigQuery, is_ordered
from extract_project.sql.query import Query
from extract_project.sql.tokens import tokenize
from extract_project.warehouses.bigquery.changes import last_changes
from extract_project.warehouses.bigquery.checked import Checked
from extract_project.warehouses.bigquery.client import Client, Job, JobName
from extract_project.warehouses.bigquery.errors import INVALID_QUERY, of_job, of_query
from extract_project.warehouses.bigquery.facts import table_facts
from extract_project.warehouses.bigquery.job import QueryJob, usage_of
from extract_project.warehouses.bigquery.names import Names, TableName, table_name
from extract_project.warehouses.bigquery.parameters import Parameters, alternatives, markers
from extract_project.warehouses.bigquery.result import BigQueryResult
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.meaning import incomplete, understood
from extract_project.warehouses.protocol import TableChange
from extract_project.warehouses.remote import run
from extract_project.warehouses.rest import RequestRefused

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.bigquery.types import Column


class BigQuerySession:
    """One project, signed in."""

    def __init__(
        self,
        client: Client,
        names: Names,
        storage_address: str,
        labels: Mapping[str, str],
        timeout_ms: int,
    ) -> None:
        self._client = client
        self._names = names
        self._storage_address = storage_address
        self._labels = labels
        self._timeout_ms = timeout_ms
        self._last: tuple[Any, Checked] | None = None

    def execute(self, query: Query) -> BigQueryResult:
        from extract_project.warehouses.bigquery.types import bigquery_columns

        checked = self._checked(query)
        bigquery_columns(checked.columns, query)  # a type that no file has
        job = QueryJob(
            self._client,
            JobName(_new_id(self._labels), checked.location or self._names.location),
            self._configuration(checked.rendered.text, checked.parameters, query.max_bytes),
        )
        try:
            ended = run(job)
        except RequestRefused as refused:
            raise of_query(refused, checked.rendered) from None
        if ended.answer["status"].get("errorResult"):
            raise job.located(of_job(ended.answer, checked.rendered), ended.id)
        try:
            columns, rows, table = self._described(ended.answer, self._client.outcome(job.job))
        except WarehouseError as error:
            raise job.located(error, ended.id) from None
        return BigQueryResult(
            self._client,
            self._storage_address,
            bigquery_columns(columns, query),
            table,
            rows,
            ordered=is_ordered(tokenize(query.text[: query.end], BigQuery.lexicon)),
            query_id=ended.id,
            url=job.url,
            usage=usage_of(ended.answer),
        )

    def _described(
        self, job: Job, outcome: Mapping[str, Any]
    ) -> tuple[Sequence[Column], int, TableName]:
        """The columns of a result, how many rows it has, and the table that has them."""
        from extract_project.warehouses.bigquery.types import columns_of

        if not outcome.get("jobComplete", True) or outcome.get("totalRows") is None:
            raise incomplete("bigquery said that the query was done, and described no result")
        with understood("what bigquery says of the result"):
            columns = columns_of(outcome["schema"])
            table = table_name(job["configuration"]["query"]["destinationTable"])
            return columns, int(outcome["totalRows"]), table

    def describe(self, query: Query) -> pa.Schema:
        from extract_project.warehouses.bigquery.types import bigquery_columns

        return bigquery_columns(self._checked(query).columns, query).schema

    def bytes_read(self, query: Query) -> int:
        """How many bytes the query would be billed for, at most."""
        return self._checked(query).bytes

    def facts(self, table: str) -> TableFacts:
        name = self._names.table(table)
        if name is None:
            raise WarehouseError(
                f"{table} has no dataset: expected a name as in shop.orders, or DATASET in the "
                f"settings"
            )
        return table_facts(self._client.table(name))

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        named = {each: self._names.table(each) for each in tables}
        known = {each: name for each, name in named.items() if name}
        return last_changes(self._client, known, lambda text: self._checked(Query(text)).tables)

    def cancel(self) -> None:
        """End the current wait; the thread that waits for a job then cancels the job."""
        self._client.http.cancellation.set()

    def _checked(self, query: Query) -> Checked:
        """The statement with the first types of its values that BigQuery accepts.

        The last one is remembered: a plan asks several things about each. Raises WarehouseError if
        it accepts none, or if the statement does more than read.
        """
        asked = query.text, [(name, type(each), each) for name, each in query.bound.items()]
        if self._last is None or self._last[0] != asked:
            self._last = asked, self._check(query)
        return self._last[1]

    def _check(self, query: Query) -> Checked:
        rendered = query.render(markers(query))
        first: RequestRefused | None = None
        for parameters in alternatives(query):
            configuration = self._configuration(rendered.text, parameters)
            try:
                answer = self._client.dry_run(self._names.location, configuration)
            except RequestRefused as refused:
                if refused.code != INVALID_QUERY:
                    raise of_query(refused, rendered) from None
                first = first or refused
                continue
            checked = Checked(rendered, parameters, answer)
            if checked.kind != "SELECT":
                raise WarehouseError(
                    f"bigquery takes the statement for {checked.kind or 'something unknown'}: "
                    f"expected SELECT, because an extract may only read",
                    cause=Cause.SQL,
                )
            return checked
        assert first is not None  # there is always an alternative
        raise of_query(first, rendered)

    def _configuration(
        self, text: str, parameters: Parameters, max_bytes: int | None = None
    ) -> dict[str, Any]:
        """The configuration of a job; nothing that decides values is left to the project."""
        dataset = self._names.dataset
        query: dict[str, Any] = {
            "query": text,
            "useLegacySql": False,
            "parameterMode": "NAMED",
            "queryParameters": parameters,
            "connectionProperties": [{"key": "time_zone", "value": "UTC"}],
        }
        if dataset:
            query["defaultDataset"] = {"projectId": dataset[0], "datasetId": dataset[1]}
        if max_bytes is not None:
            query["maximumBytesBilled"] = str(max_bytes)
        return {"query": query, "labels": self._labels, "jobTimeoutMs": str(self._timeout_ms)}


def _new_id(labels: Mapping[str, str]) -> str:
    """A new, unique id of a job; BigQuery allows ASCII letters, digits, `_` and `-`."""
    extract = labels["extract"].encode("ascii", "replace").decode().replace("?", "_")
    return f"extract_{extract}_{uuid4().hex}"
