"""Connect to a server, encrypt the connection, and sign in.

The connection allows only what is used here: not several statements in one text, no files that the
server could ask for, no compression.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import pack
from typing import Literal

from pydantic import SecretStr

from extract_project.warehouses.mysql.authentication import (
    CACHING,
    NATIVE,
    NotPossible,
    answer,
    plain,
)
from extract_project.warehouses.mysql.fields import Fields, length_encoded
from extract_project.warehouses.mysql.server_error import server_error
from extract_project.warehouses.mysql.wire import Lost, Wire

TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]

_LONG_FLAG, _WITH_DATABASE, _PROTOCOL_41, _SSL = 1 << 2, 1 << 3, 1 << 9, 1 << 11
_TRANSACTIONS, _SECURE, _PLUGINS, _ATTRIBUTES, _LONG_ANSWERS = (
    1 << bit for bit in (13, 15, 19, 20, 21)
)
_WANTED = _LONG_FLAG | _PROTOCOL_41 | _TRANSACTIONS | _SECURE
_IF_OFFERED = _PLUGINS | _ATTRIBUTES | _LONG_ANSWERS
_VERSION = 10
_OK, _MORE, _SWITCH, _ERROR = 0, 1, 254, 255
_KNOWS_PASSWORD = b"\3"
_UTF8MB4 = 45
_LARGEST_PACKET = (1 << 30) - 1
_KEEPALIVE = (
    # Load balancers silently drop idle connections, some after 350 s.
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 6),
    ("TCP_USER_TIMEOUT", 120_000),
)


@dataclass(frozen=True)
class Login:
    """Where to connect, and as whom."""

    host: str
    """A name or an address, or the path of a Unix socket."""
    port: int
    user: str
    password: SecretStr | None
    database: str | None
    tls: TlsMode
    authorities: str | None
    """The file with the authorities to trust; None: those of the machine."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What the server shows of the connection."""
    address: str | None = None
    """The address of the host, where it is known already."""

    @property
    def is_local(self) -> bool:
        return self.host.startswith("/")


@dataclass(frozen=True)
class Greeting:
    """What the server says first."""

    version: str
    capabilities: int
    plugin: str
    challenge: bytes


@dataclass(frozen=True)
class SignedIn:
    """A connection on which statements can be sent."""

    wire: Wire
    version: str
    """As in `8.4.3` or `10.11.6-MariaDB`."""
    address: str
    """The host to which it goes, for a second connection to the same one."""


def sign_in(login: Login, seconds: float) -> SignedIn:
    """Sign in within `seconds`.

    Raises OSError and Lost where the server cannot be reached, ServerError if it refuses, and
    NotPossible.
    """
    end = time.monotonic() + seconds

    def look() -> None:
        if time.monotonic() > end:
            raise Lost(f"no answer within {seconds:.0f} s")

    connected, address = _connected(login, seconds)
    wire = Wire(connected, look)
    try:
        greeting = _greeting(wire.receive())
        _encrypt_and_answer(wire, login, greeting, seconds)
    except BaseException:
        wire.close()
        raise
    return SignedIn(wire, greeting.version, address)


def _connected(login: Login, seconds: float) -> tuple[socket.socket, str]:
    if login.is_local:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(seconds)
        connected.connect(login.host)
        return connected, login.host
    connected = socket.create_connection((login.address or login.host, login.port), seconds)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # not on every system
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connected, str(connected.getpeername()[0])


def _greeting(payload: bytearray) -> Greeting:
    if payload[0] == _ERROR:
        raise server_error(payload)
    fields = Fields(payload)
    if fields.number(1) != _VERSION:
        raise Lost(f"the server does not speak version {_VERSION} of MySQL's protocol")
    said = fields.until_zero().decode(errors="replace")
    fields.number(4)  # the id of the connection, of which the server knows more digits
    challenge = fields.take(8)
    fields.number(1)
    capabilities = fields.number(2)
    fields.number(1 + 2)  # its character set, and its state
    capabilities |= fields.number(2) << 16
    size = fields.number(1)
    fields.take(10)
    challenge += fields.take(max(13, size - 8))
    plugin = fields.until_zero().decode(errors="replace") if capabilities & _PLUGINS else NATIVE
    return Greeting(said, capabilities, plugin, challenge)


def _encrypt_and_answer(wire: Wire, login: Login, greeting: Greeting, seconds: float) -> None:
    wanted = _WANTED | (greeting.capabilities & _IF_OFFERED)
    wanted |= _WITH_DATABASE if login.database else 0
    begin = pack("<IIB23x", wanted, _LARGEST_PACKET, _UTF8MB4)
    if login.tls != "disable" and not login.is_local:
        if not greeting.capabilities & _SSL:
            raise NotPossible(
                "the server does not offer TLS: switch it on there, or set SSLMODE to 'disable' "
                "where nobody can listen"
            )
        begin = pack("<IIB23x", wanted | _SSL, _LARGEST_PACKET, _UTF8MB4)
        wire.send(begin)
        wire.encrypt(_context(login), login.host, seconds)
    password = login.password.get_secret_value().encode() if login.password else b""
    is_private = wire.is_encrypted or wire.is_local
    proof = answer(greeting.plugin, password, greeting.challenge, is_private=is_private)
    payload = begin + login.user.encode() + b"\0"
    if wanted & _LONG_ANSWERS:
        payload += length_encoded(proof)
    else:
        payload += bytes((len(proof),)) + proof
    if login.database:
        payload += login.database.encode() + b"\0"
    if wanted & _PLUGINS:
        payload += greeting.plugin.encode() + b"\0"
    if wanted & _ATTRIBUTES:
        pairs = login.attributes.items()
        payload += length_encoded(
            b"".join(length_encoded(each.encode()) for pair in pairs for each in pair)
        )
    wire.send(payload)
    _prove(wire, greeting.plugin, password, is_private=is_private)


def _prove(wire: Wire, plugin: str, password: bytes, *, is_private: bool) -> None:
    """Answer the server's further questions, until it accepts or refuses the sign-in."""
    while (reply := wire.receive())[0] != _OK:
        if reply[0] == _ERROR:
            raise server_error(reply)
        if reply[0] == _SWITCH:
            fields = Fields(reply, 1)
            plugin = fields.until_zero().decode(errors="replace") or "mysql_old_password"
            wire.send(answer(plugin, password, fields.rest(), is_private=is_private))
        elif reply[0] == _MORE and plugin == CACHING and reply[1:] == _KNOWS_PASSWORD:
            continue
        elif reply[0] == _MORE and plugin == CACHING:
            wire.send(plain(plugin, password, is_private=is_private))
        else:
            raise NotPossible(
                f"the server's question does not belong to a sign-in by {plugin!r}: "
                f"give the user another plugin"
            )


def _context(login: Login) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=login.authorities)
    except OSError as error:  # ssl.SSLError is one, too
        raise NotPossible(f"SSLROOTCERT {login.authorities!r} cannot be read: {error}") from error
    if login.tls != "verify-full":
        context.check_hostname = False
    if login.tls == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
