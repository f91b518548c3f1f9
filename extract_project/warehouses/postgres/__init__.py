"""PostgreSQL: a read-only transaction with fixed settings, streamed as `COPY … CSV`.

`settings` has the environment's fields, `transaction` fixes a transaction's settings, `session`
describes a statement, `result` reads its rows by `copying`, `types` converts them to the file's
types, `errors` interprets the server's codes, and `changes` finds out whether tables have changed.
Signing in and waiting for the server are in `warehouses/libpq`.
"""

from __future__ import annotations

from extract_project.warehouses.postgres.session import PostgresSession
from extract_project.warehouses.postgres.settings import PostgresWarehouse

__all__ = ["PostgresSession", "PostgresWarehouse"]
