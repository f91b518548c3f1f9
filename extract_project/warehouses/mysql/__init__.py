"""MySQL and MariaDB: read-only transactions whose rows are streamed in the binary protocol.

`settings` has the environment's fields, `sign_in` connects (`authentication`, `ed25519`), `wire`
sends and receives packets (`fields`, `columns`, `parameters`), `connection` prepares and executes
statements, `transaction` fixes a session's settings. `session` runs a query, `result` reads its
rows: `sent` and `values` make Arrow's arrays of them, `types` says which; `warnings` and `zones`
refuse a result that the server changed. `errors` and `place` interpret what the server refuses;
`changes` and `facts` ask about tables.
"""

from __future__ import annotations

from extract_project.warehouses.mysql.session import MySQLSession
from extract_project.warehouses.mysql.settings import MySQLWarehouse

__all__ = ["MySQLSession", "MySQLWarehouse"]
