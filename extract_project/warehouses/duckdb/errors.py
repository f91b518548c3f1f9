"""The errors of DuckDB, at their place in the author's text."""

from __future__ import annotations

import re

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.protocol import Rendered

_LINE = re.compile(r"^LINE (\d+): (.*)\n(\s*)\^", re.MULTILINE)


def explained(error: Exception, rendered: Rendered, before: int = 0) -> WarehouseError:
    """`before` characters of the first line that was sent are not the author's."""
    message = str(error)
    if message.startswith("Out of Memory"):
        reason = message.splitlines()[0]
        return WarehouseError(
            f"{reason}: raise MEMORY_LIMIT in the warehouse's settings", cause=Cause.MEMORY
        )
    found = _LINE.search(message)
    if not found:
        return WarehouseError(message)
    line = int(found.group(1))
    # DuckDB draws a caret below the quoted line; "LINE 12: " stands before the quotation.
    column = len(found.group(3)) - len(f"LINE {found.group(1)}: ") + 1
    if line == 1:
        column -= before
    summary = message[: found.start()].strip()
    if found.group(2).startswith("..."):  # a long line, whose beginning it leaves out
        return WarehouseError(summary, line=line)
    line, column = rendered.origin_of(line, column)
    return WarehouseError(summary, line=line, column=column)
