"""Sign in to MySQL and MariaDB: encryption, and each way to prove a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from extract_project.errors import Cause, WarehouseError
from extract_project.sql.query import Query
from extract_project.warehouses.conformance.rig import LABEL
from extract_project.warehouses.mysql import MySQLWarehouse
from extract_project.warehouses.mysql.ed25519 import signature
from extract_project_tests.support.mariadb_server import MariaDB, table
from extract_project_tests.support.postgres_admin import HOUR

CHALLENGE = bytes(range(1, 21))
PROVES = "select variable_value <> '' as n from information_schema.session_status"


def test_the_connection_is_encrypted_and_the_server_checked(mariadb: MariaDB) -> None:
    mariadb.execute("alter user reader require ssl")
    authority = {"sslrootcert": str(mariadb.certificate)}
    encrypted = Query(f"{PROVES} where variable_name = 'Ssl_cipher'")
    try:
        for fields in (
            {"sslmode": "verify-full", **authority},
            {"sslmode": "verify-ca", "host": "localhost", **authority},
            {"sslmode": "require", "host": "localhost"},
        ):
            with mariadb.over_tcp(**fields).connect(LABEL, HOUR) as session:
                assert table(session, encrypted).to_pylist() == [{"n": 1}]
                session.cancel()
        for fields, said in (
            ({"sslmode": "verify-full", "host": "localhost", **authority}, "not valid for 'loca"),
            ({"sslmode": "disable"}, "Access denied"),
        ):
            with (
                pytest.raises(WarehouseError, match=said) as raised,
                mariadb.over_tcp(**fields).connect(LABEL, HOUR),
            ):
                pass
            assert raised.value.cause in (Cause.SETTINGS, Cause.SIGN_IN)
            assert not raised.value.transient
    finally:
        mariadb.execute("alter user reader require none")


def test_g8_a_cancel_goes_over_an_encrypted_connection_too(mariadb: MariaDB) -> None:
    fields = {"sslmode": "verify-full", "sslrootcert": str(mariadb.certificate)}
    killed = "select variable_value from information_schema.global_status where variable_name"
    with mariadb.over_tcp(**fields).connect(LABEL, HOUR) as session:
        result = session.execute(Query("select seq as n from seq_1_to_100000000"))
        next(result.batches())
        before = mariadb.execute(f"{killed} = 'Com_kill'")
        session.cancel()
        assert mariadb.execute(f"{killed} = 'Com_kill'") != before


def test_a_user_without_a_password_signs_in(mariadb: MariaDB) -> None:
    mariadb.execute("create user anybody")
    try:
        open_to_all = mariadb.warehouse.model_copy(update={"user": "anybody", "password": None})
        with open_to_all.model_copy(update={"database": None}).connect(LABEL, HOUR) as session:
            assert table(session, Query("select 1 as n")).num_rows == 1
    finally:
        mariadb.execute("drop user anybody")


def test_a_signature_is_that_of_the_standard() -> None:
    """Of RFC 8032, where a key of 32 bytes takes the place of the password."""
    key = bytes(range(100, 132))
    standard = Ed25519PrivateKey.from_private_bytes(key)
    for challenge in (bytes(32), bytes(range(32))):
        assert signature(key, challenge) == standard.sign(challenge)


class Greeter:
    """The part of a MySQL 8 server that lets somebody in, and nothing else.

    From MySQL's manual, "Connection Phase" and "Authentication Methods" ("Caching_sha2_password
    Authentication"). It does not encrypt, and does not answer a statement.
    """

    def __init__(self, plugin: str, *replies: bytes | Callable[[bytes], bytes]) -> None:
        """`replies`: to each packet of the client, or made of it."""
        self._plugin = plugin
        self._replies = replies
        self.received: list[bytes] = []

    def serve(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as stream, suppress(OSError):
            greeting = b"\x0a8.4.3\0\1\0\0\0" + CHALLENGE[:8] + b"\0"
            greeting += b"\xff\xf7\xff\x02\0\xff\xdf\x15" + bytes(10) + CHALLENGE[8:] + b"\0"
            self._send(client, 0, greeting + self._plugin.encode() + b"\0")
            for reply in self._replies:
                if not (header := stream.read(4)):
                    return
                self.received.append(stream.read(int.from_bytes(header[:3], "little")))
                said = reply if isinstance(reply, bytes) else reply(self.received[-1])
                for number, packet in enumerate(said.split(b"|"), header[3] + 1):
                    self._send(client, number, packet)
            stream.read(1)

    @staticmethod
    def _send(client: socket.socket, number: int, payload: bytes) -> None:
        client.sendall(len(payload).to_bytes(3, "little") + bytes((number,)) + payload)


@contextmanager
def greeted(greeter: Greeter, path: Path | None = None) -> Iterator[MySQLWarehouse]:
    """On a Unix socket, or on a port."""
    family = socket.AF_UNIX if path else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind(str(path) if path else ("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=greeter.serve, args=(listener,), daemon=True).start()
        where: dict[str, Any] = {"host": str(path)} if path else {
            "host": "127.0.0.1", "port": listener.getsockname()[1], "sslmode": "disable",
        }  # fmt: skip
        yield MySQLWarehouse.model_validate(
            {"type": "mysql", "user": "reader", "password": "hunter2", **where}
        )


def refusal(warehouse: MySQLWarehouse) -> WarehouseError:
    with pytest.raises(WarehouseError) as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert "hunter2" not in str(raised.value)
    return raised.value


OK = b"\0\0\0\2\0\0\0"
KNOWN, UNKNOWN = b"\1\3", b"\1\4"
END = b"\xff\x7a\x04#42S02that is all"
"""An error, to the first statement."""


def proves(packet: bytes) -> bytes:
    """Whether a client knows the password, by what the server keeps of it: its hash's hash."""
    once = sha256(b"hunter2").digest()
    mask = sha256(sha256(once).digest() + CHALLENGE).digest()
    proof = bytes(a ^ b for a, b in zip(once, mask, strict=True))
    return KNOWN + b"|" + OK if proof in packet else UNKNOWN


def test_a_password_that_the_server_has_in_its_cache_is_not_sent() -> None:
    greeter = Greeter("caching_sha2_password", proves, END)
    with greeted(greeter) as warehouse:
        assert "that is all" in str(refusal(warehouse))
    assert greeter.received[1].startswith(b"\x03select connection_id()")
    assert b"hunter2" not in b"".join(greeter.received)


def test_a_password_is_sent_where_nobody_can_read_it(tmp_path: Path) -> None:
    greeter = Greeter("caching_sha2_password", UNKNOWN, OK, END)
    with greeted(greeter, tmp_path / "socket") as warehouse:
        assert "that is all" in str(refusal(warehouse))
    assert greeter.received[1] == b"hunter2\0"


@pytest.mark.parametrize(
    ("plugin", "reply"),
    [
        ("caching_sha2_password", UNKNOWN),
        ("mysql_native_password", b"\xfemysql_clear_password\0"),
        ("mysql_native_password", b"\xfedialog\0\4password: "),
        ("sha256_password", OK),
    ],
)
def test_g11_a_password_is_never_sent_unencrypted(plugin: str, reply: bytes) -> None:
    greeter = Greeter(plugin, reply, OK, END)
    with greeted(greeter) as warehouse:
        error = refusal(warehouse)
    assert "would travel unencrypted: set SSLMODE" in str(error)
    assert (error.cause, error.transient) == (Cause.SETTINGS, False)
    assert b"hunter2" not in b"".join(greeter.received)


@pytest.mark.parametrize(
    ("replies", "cause", "transient", "said"),
    [
        ((b"\xfeauth_gssapi_client\0x",), Cause.SETTINGS, False, "by 'auth_gssapi_client', which"),
        ((b"\xfe",), Cause.SETTINGS, False, "by 'mysql_old_password', which is not known here"),
        ((b"\1?",), Cause.SETTINGS, False, "does not belong to a sign-in by"),
        ((b"\xff\x15\x04#28000Access denied",), Cause.SIGN_IN, False, "Access denied (1045)"),
        ((b"\xff\x10\x04Too many connections",), Cause.BUSY, True, "Too many connections (1040)"),
    ],
)
def test_a_server_that_lets_nobody_in_is_understood(
    replies: tuple[bytes], cause: Cause, transient: bool, said: str
) -> None:
    with greeted(Greeter("mysql_native_password", *replies)) as warehouse:
        error = refusal(warehouse)
    assert said in str(error)
    assert (error.cause, error.transient) == (cause, transient)


def test_g11_a_server_without_encryption_is_not_told_who_signs_in() -> None:
    greeter = Greeter("caching_sha2_password", OK)
    with greeted(greeter) as warehouse:
        error = refusal(warehouse.model_copy(update={"sslmode": "require"}))
    assert "does not offer TLS: " in str(error)
    assert (error.cause, greeter.received) == (Cause.SETTINGS, [])


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\5\0\0\0\x09old\0", b""])
def test_what_is_no_mysql_is_called_so(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        warehouse = MySQLWarehouse.model_validate(
            {"type": "mysql", "host": "127.0.0.1", "port": listener.getsockname()[1], "user": "x"}
        )
        assert refusal(warehouse).cause == Cause.NETWORK
