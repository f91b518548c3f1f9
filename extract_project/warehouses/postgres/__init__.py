"""PostgreSQL: one read-only transaction of our own, streamed as `COPY … CSV`.

`settings` is what the environment says, `sign_in` connects, `connection` waits for the server,
`transaction` makes a transaction ours, `session` describes a statement, `result` reads its rows,
`types` turns them into what files keep, `errors` says what the server's codes mean, `changes` asks
whether tables have changed.
"""

from __future__ import annotations

from extract_project.warehouses.postgres.session import PostgresSession
from extract_project.warehouses.postgres.settings import PostgresWarehouse

__all__ = ["PostgresSession", "PostgresWarehouse"]
