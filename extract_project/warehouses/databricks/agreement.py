"""Refuse a session whose parameters are not those that decide our values.

Which parameters a session takes, and how their names are spelled there, is in no reference: one
that the service does not know may be passed over without a word. So it is asked, by `set <name>`,
whose answer is the name and the value
(https://docs.databricks.com/en/sql/language-manual/sql-ref-syntax-aux-conf-mgmt-set).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.databricks.client import Client, Names
from extract_project.warehouses.databricks.session import DatabricksSession
from extract_project.warehouses.facts import rows
from extract_project.warehouses.waiting import begin

_UNTOLD = ("", "<undefined>")


def require_parameters(
    client: Client,
    session: Names,
    tags: Sequence[Mapping[str, str]],
    wanted: Mapping[str, str],
) -> None:
    """Raises WarehouseError for each parameter that has another value than the wanted one.

    One that is not told is logged. Blocks while the SQL warehouse starts.
    """

    def told(name: str) -> str:
        asking = DatabricksSession(client, session, tags)
        try:
            found = [each for row in rows(asking, f"set {name}") for each in row.values()]
        except WarehouseError as error:
            if error.cause is not Cause.SQL:
                raise
            return ""
        return str(found[-1] or "") if found else ""

    asked = {name: begin("parameter", partial(told, name)) for name in wanted}
    found = {name: client.http.cancellation.result(each) for name, each in asked.items()}
    untold = [name for name, value in found.items() if value in _UNTOLD]
    if untold:
        logging.getLogger(__name__).warning(
            "databricks does not say what %s are: the workspace's hold", ", ".join(untold)
        )
    others = [
        f"{name} is {value!r}, not {wanted[name]!r}"
        for name, value in found.items()
        if name not in untold and value.casefold() != wanted[name].casefold()
    ]
    if others:
        raise WarehouseError(
            f"databricks' session has parameters that would give other results: "
            f"{'; '.join(others)}: set them so for all SQL warehouses of the workspace",
            cause=Cause.SETTINGS,
        )
