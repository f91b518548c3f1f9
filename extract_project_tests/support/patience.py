"""Other timeouts for a session, so that a test need not wait as long as a run does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from extract_project.warehouses.bigquery import BigQuerySession
from extract_project.warehouses.databricks import DatabricksSession


def has_patience(session: BigQuerySession | DatabricksSession, **fields: float) -> None:
    """Change these timeouts of a session."""
    client: Any = session._client
    patience = replace(client.http.patience, **fields)
    session._client = replace(client, http=replace(client.http, patience=patience))
