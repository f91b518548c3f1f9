"""Databricks SQL warehouses, through the Statement Execution API over plain HTTP.

`settings` signs in (`oauth`) and opens a session with our parameters. `client` has the requests of
the API, which `warehouses.rest` sends. `session` runs a `statement`, and waits for it so that a
cancel ends the wait; `changes` and `facts` ask about tables. `result` and `chunks` fetch the rows
behind links that expire, `manifest` is what they must agree with, and `types` has their types.
`errors` interprets codes.
"""

from __future__ import annotations

from extract_project.warehouses.databricks.session import DatabricksSession
from extract_project.warehouses.databricks.settings import DatabricksWarehouse

__all__ = ["DatabricksSession", "DatabricksWarehouse"]
