"""Our queries in Snowflake's query history: their tag, and the address of their page."""

from __future__ import annotations

import json

from extract_project.warehouses.protocol import Label

_TAG_CHARACTERS = 2000


def query_url(account: str | None, query_id: str | None) -> str | None:
    """The query's page in Snowsight, for `organization-account` and for `locator.region`."""
    if not account or not query_id:
        return None
    locator, dot, region = account.lower().partition(".")
    organization, dash, name = account.lower().partition("-")
    if dot:
        place = f"{region}/{locator}"
    elif dash:
        place = f"{organization}/{name}"
    else:
        return None
    return f"https://app.snowflake.com/{place}/#/compute/history/queries/{query_id}/detail"


def query_tag(label: Label) -> str:
    """The tag that Snowflake's query history shows with the query."""
    tag = {
        "extract": label.extract,
        "sql_version": label.sql_version,
        "run_id": label.run_id,
        "partition": label.partition,
    }
    return json.dumps({k: v for k, v in tag.items() if v is not None})[:_TAG_CHARACTERS]
