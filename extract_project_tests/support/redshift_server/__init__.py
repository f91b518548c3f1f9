"""Amazon Redshift's side of PostgreSQL's protocol, before a real PostgreSQL that runs the queries.

Taken from documentation and from Amazon's own clients:

- what Redshift has not, which `rules` refuses:
  https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-and-postgres-sql.html;
- signing in (MD5, the digest of SHA-256 that libpq does not know), `client_encoding` UNICODE,
  `server_version` 8.0.2, object identifiers of types: amazon-redshift-python-driver (`core.py`,
  `utils/oids.py`) and amazon-redshift-jdbc-driver (`core/Oid.java`, `ConnectionFactoryImpl.java`);
- a SELECT's command tag without a number of rows: PostgreSQL 8.0;
- system views and functions: their pages in the Database Developer Guide, as `SYS_QUERY_DETAIL`.
  Here they are tables of a schema `redshift`, which tests fill.

It does not cover: Redshift's own grammar, types of expressions, coercions and errors (they are
those of PostgreSQL), `numeric` with a precision everywhere, backslashes in strings, names in upper
case, SUPER, GEOMETRY and HLLSKETCH but for their identifiers, workload management, and the
parameters of `rules.OWN_PARAMETERS`, which change nothing.
"""

from __future__ import annotations

from extract_project_tests.support.redshift_server.rules import execute
from extract_project_tests.support.redshift_server.server import (
    PASSWORD,
    USER,
    RedshiftServer,
    redshift_server,
)

__all__ = ["PASSWORD", "USER", "RedshiftServer", "execute", "redshift_server"]
