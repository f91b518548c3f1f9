"""Amazon Redshift: PostgreSQL's protocol, and a read-only transaction with fixed parameters.

`settings` has the environment's fields, `aws` a password for the task's role, `fixed` the
parameters of a session, `session` describes a statement with its `parameters`, `result` reads its
rows by `streaming`, `types` converts them to the file's types, `errors` interprets the server's
codes, `cancelling` insists on a cancel, and `changes` finds out whether tables have changed.
`writing` and `unload` have Redshift write a result itself. Signing in and waiting for the server
are in `warehouses/libpq`.
"""

from __future__ import annotations

from extract_project.warehouses.redshift.session import RedshiftSession
from extract_project.warehouses.redshift.settings import RedshiftWarehouse

__all__ = ["RedshiftSession", "RedshiftWarehouse"]
