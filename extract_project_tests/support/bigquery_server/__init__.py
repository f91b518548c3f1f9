"""A server that speaks BigQuery's REST API over HTTP, and its Storage Read API over gRPC.

Taken from the REST reference (jobs.insert, get, getQueryResults, cancel; tables.get), as it stands
in the source of google-cloud-bigquery: jobs with ids of the client's, which are refused a second
time; dry runs with their columns, bytes and kind of statement; named parameters with types; labels;
locations; `maximumBytesBilled`; `jobTimeoutMs`; temporary tables. From the page on error messages:
reasons and their HTTP status. From `parse_location.cc` of ZetaSQL: how positions are counted. From
the page on conversion rules: which types are compared. From storage.proto, stream.proto and
arrow.proto of googleapis: the messages, which `wire` writes by hand so that a wrong number shows.
From AIP 4111 and 4117 and the page on AWS: tokens for a signed JWT, and for a signed request to
AWS' GetCallerIdentity. `faults` drops, stalls, keeps silent and refuses at the HTTP level;
`breaks` ends, repeats, stalls and refuses streams.

google-cloud-bigquery 3.47 and google-cloud-bigquery-storage 2.43 read their results from it.

What it does not cover, since nothing here could be compared with the real service: BigQuery's SQL
(sqlglot and DuckDB stand in, errors name the first place of the word, and computed BIGNUMERICs have
no fraction), IAM, slots, reservations, quotas, caching, the bytes that a query really reads, how
rows are divided among streams and batches, the Arrow form of GEOGRAPHY, JSON, RANGE and INTERVAL
(tests script it from the documentation), sessions that expire, regions, TLS, and the signatures of
AWS.
"""

from __future__ import annotations

from extract_project_tests.support.bigquery_server.engine import Answer, Engine, QueryError, table
from extract_project_tests.support.bigquery_server.http import BigQueryServer, bigquery_server
from extract_project_tests.support.bigquery_server.service import Service
from extract_project_tests.support.bigquery_server.storage import Break

__all__ = [
    "Answer",
    "BigQueryServer",
    "Break",
    "Engine",
    "QueryError",
    "Service",
    "bigquery_server",
    "table",
]
