"""BigQuery: query jobs over its REST API, rows over the Storage Read API.

`settings` signs in (`sign_in`, `aws`). `client` has the requests of the REST API, which
`warehouses.rest` sends. `session` has a query checked by a dry run, which is free: what it reads,
which types its parameters get (`parameters`), and whether it only reads. Then it runs the job and
waits for it so that a cancel ends the wait. `changes` and `facts` ask about tables. `result` reads
the rows: `storage` speaks gRPC with the `messages` of the Storage Read API, `streams` reads several
streams and resumes them, and `types` has their types. `errors` interprets reasons.
"""

from __future__ import annotations

from extract_project.warehouses.bigquery.session import BigQuerySession
from extract_project.warehouses.bigquery.settings import BigQueryWarehouse

__all__ = ["BigQuerySession", "BigQueryWarehouse"]
