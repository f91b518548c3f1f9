"""Refuse a result that the server changed while it computed it, with no more than a warning.

MySQL answers a `select` even if a value does not fit: it cuts a text that is too long, turns what
cannot be converted into 0 or NULL, and leaves out the rows after a limit of its own. If the same
`select` stands behind an `insert`, strict mode makes this an error, and so does this module.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from extract_project.errors import WarehouseError
from extract_project.warehouses.mysql.connection import Connection
from extract_project.warehouses.mysql.transaction import MOST_WARNINGS

OnConversion = Literal["refuse", "log"]

_CUT = {
    1260: "group_concat",
    1301: "the server's max_allowed_packet",
    1931: "a limit of rows or iterations",
}
"""The codes of warnings that a result is not whole, and what has cut it."""
_CONVERTED = frozenset(
    (
        *(1264, 1265, 1292, 1366, 1411, 1441),  # a value that does not fit, or is none of its type
        *(1300, 1977, 3854),  # text that is not of its character set, or has no place in another
        *(1916, 3156, 4038),  # MariaDB's "illegal value", JSON that is none
    )
)
_SHOWN = 3

Warned = Sequence[tuple[str | None, ...]]
"""Level, code and text of each warning; the server keeps only the first ones: `MOST_WARNINGS`."""


def require_no_loss(connection: Connection, on_conversion: OnConversion) -> None:
    """Raises WarehouseError if the last statement's result is not what its SQL says.

    It asks the server, which only has the warnings until the next statement.
    """
    if not connection.warnings:
        return
    count = connection.warnings
    warned = connection.query("show warnings")
    cut = [each for each in warned if int(each[1] or 0) in _CUT]
    if cut:
        raise WarehouseError(
            f"the result is not whole: {_shown(cut)}: it was cut by {_CUT[int(cut[0][1] or 0)]}"
        )
    converted = [each for each in warned if int(each[1] or 0) in _CONVERTED]
    are_all_known = count <= len(warned) and count < MOST_WARNINGS
    if not converted and are_all_known:
        return
    if converted:
        said = f"the server changed values while it computed the result: {_shown(converted)}"
    else:
        said = f"the server may have changed values: it warned {_shown(warned)}"
    if not are_all_known:
        said += f"; it gave {count:,} warnings or more, and keeps no more than {len(warned):,}"
    if on_conversion == "log":
        logging.getLogger(__name__).warning("%s", said)
        return
    raise WarehouseError(
        f"{said}: convert only what fits, as in case when x regexp '^[0-9]+$' then cast(x as "
        f"signed) end, and compare text with text; or set ON_CONVERSION of the warehouse to 'log'"
    )


def _shown(warned: Warned) -> str:
    texts = dict.fromkeys(f"{text} ({code})" for _, code, text in warned)
    return "; ".join(list(texts)[:_SHOWN]) + ("; …" if len(texts) > _SHOWN else "")
