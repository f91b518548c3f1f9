"""An error that the server answers with: `ERR_Packet`."""

from __future__ import annotations

from extract_project.warehouses.mysql.fields import Fields

_STATE = 5


class ServerError(Exception):
    """The server refuses; `code` is its number for the reason, the same in every language."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


def server_error(payload: bytes | bytearray) -> ServerError:
    """The error of a packet; raises Lost if it is cut short."""
    fields = Fields(payload, 1)
    code = fields.number(2)
    rest = fields.rest()
    if rest[:1] == b"#":
        rest = rest[1 + _STATE :]
    return ServerError(code, rest.decode(errors="replace"))
