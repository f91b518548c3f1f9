"""PostgreSQL over a network: signing in, silence, and whose business a refusal is."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.warehouses.postgres import PostgresSession, PostgresWarehouse
from extract_project_tests.support.postgres_admin import HOUR, LABEL, admin, query, read, role
from extract_project_tests.support.relay import Relay, relay
from extract_project_tests.support.waiting import await_value

MOMENTS = {
    "beginning": b"begin isolation level",
    "setting": b"pg_catalog.set_config",
    "binding": b"extract.p0",
    "describing": b"D\x00\x00\x00\x06S\x00",
    "planning": b"explain (costs off)",
    "copying": b"copy (",
    "ending": b"rollback",
}


@contextmanager
def silent(postgres: PostgresWarehouse, after: bytes) -> Iterator[tuple[Relay, PostgresWarehouse]]:
    with relay(postgres) as network:
        network.silent_after = after
        yield (
            network,
            postgres.model_copy(
                update={"host": "127.0.0.1", "port": network.port, "sslmode": "disable"}
            ),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [each if each == "copying" else pytest.param(each, marks=pytest.mark.soak) for each in MOMENTS],
)
def test_g8_a_silent_network_is_left_at_a_cancel(postgres: PostgresWarehouse, moment: str) -> None:
    """The reply never comes; other threads run meanwhile, this one's cancel among them."""
    with silent(postgres, MOMENTS[moment]) as (network, warehouse):
        with warehouse.connect(LABEL, HOUR) as session:

            def cancel() -> None:
                network.silent.wait(60)
                session.cancel()

            cancelling = threading.Thread(target=cancel)
            cancelling.start()
            with pytest.raises(QueryCancelled, match="did not confirm it"):
                list(session.execute(query("select :n as n", n=1)).batches())
            cancelling.join()
        assert network.silent.is_set()


def test_g8_a_silent_server_lets_nobody_in_and_nobody_wait(postgres: PostgresWarehouse) -> None:
    with (
        silent(postgres, b"client_encoding") as (_, warehouse),
        pytest.raises(WarehouseError, match="no answer within 1 s") as raised,
        warehouse.connect(LABEL, timedelta(seconds=1)),
    ):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_a_server_that_is_gone_is_noticed(postgres: PostgresWarehouse) -> None:
    """Else a load balancer that has forgotten the connection leaves a query unanswered."""
    with (
        relay(postgres) as network,
        postgres.model_copy(update={"host": "127.0.0.1", "port": network.port}).connect(
            LABEL, HOUR
        ) as session,
        socket.fromfd(session.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as found,
    ):
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert 0 < found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 300_000


def test_a_server_that_cannot_be_reached(postgres: PostgresWarehouse) -> None:
    for update in (
        {"host": "127.0.0.1", "port": 1},
        {"host": "no-such-host.invalid"},
        {"host": "/nowhere"},
    ):
        with pytest.raises(WarehouseError, match=str(update["host"])) as raised:
            read(postgres.model_copy(update=update), "select 1 as a")
        assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_the_first_host_that_lets_us_in(postgres: PostgresWarehouse) -> None:
    hosts = postgres.model_copy(update={"host": f"/nowhere,{postgres.host}"})
    assert read(hosts, "select 1 as a").num_rows == 1
    refused = hosts.model_copy(update={"user": "nobody"})
    with pytest.raises(WarehouseError, match="28000") as raised:
        read(refused, "select 1 as a")
    assert raised.value.cause is Cause.SIGN_IN


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_without_tls_is_a_matter_of_settings(
    postgres: PostgresWarehouse, mode: str
) -> None:
    with relay(postgres) as network:
        update = {"host": "127.0.0.1", "port": network.port, "sslmode": mode}
        if mode != "require":
            update["sslrootcert"] = "system" if mode == "verify-full" else "/nowhere.pem"
        with pytest.raises(WarehouseError) as raised:
            read(postgres.model_copy(update=update), "select 1 as a")
    assert (raised.value.cause, raised.value.transient) == (Cause.SETTINGS, False)


@pytest.mark.parametrize(
    ("refusal", "code", "cause", "transient"),
    [
        ("alter role reader nologin", "28000", Cause.SIGN_IN, False),
        ("alter role reader connection limit 0", "53300", Cause.BUSY, True),
        ("alter database refusing connection limit 0", "53300", Cause.BUSY, True),
        ("alter database refusing allow_connections false", "55000", Cause.SETTINGS, False),
        ("revoke connect on database refusing from public", "42501", Cause.PERMISSION, False),
        ("alter database refusing rename to another", "3D000", Cause.SETTINGS, False),
    ],
)
def test_a_refused_sign_in_is_understood_by_its_code(
    postgres: PostgresWarehouse, refusal: str, code: str, cause: Cause, transient: bool
) -> None:
    with role(postgres) as reader, admin(postgres) as connection:
        connection.execute("create database refusing")
        try:
            connection.execute(refusal.encode())
            with pytest.raises(WarehouseError, match=code) as raised:
                read(reader.model_copy(update={"database": "refusing"}), "select 1 as a")
            assert (raised.value.cause, raised.value.transient) == (cause, transient)
            assert "user 'reader'" in str(raised.value)
        finally:
            connection.execute("drop database if exists refusing")
            connection.execute("drop database if exists another")


def test_what_the_server_reports_of_a_session_that_it_ends(postgres: PostgresWarehouse) -> None:
    with role(postgres) as reader, admin(postgres) as connection:
        connection.execute("create database dropped")
        elsewhere = reader.model_copy(update={"database": "dropped"})
        with elsewhere.connect(LABEL, HOUR) as session:
            result = session.execute(query("select 1 as a"))
            connection.execute("drop database dropped with (force)")
            with pytest.raises(WarehouseError, match="57P0") as raised:
                list(result.batches())
        assert raised.value.cause in (Cause.NETWORK, Cause.SETTINGS)


@pytest.mark.parametrize("how", ["cancelled", "interrupted"])
def test_g8_who_waits_for_a_lock_can_be_ended(postgres: PostgresWarehouse, how: str) -> None:
    """Describing waits for who alters the table; neither the run nor its backend has to."""
    main = threading.main_thread().ident
    with admin(postgres) as connection, admin(postgres) as watching:
        connection.execute("create table locked as select 1 as a")

        def waits() -> object:
            return watching.execute(
                "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            ).fetchone()

        def end(session: PostgresSession) -> None:
            await_value("the extract to wait", waits)
            if how == "cancelled":
                session.cancel()
            else:
                assert main is not None
                signal.pthread_kill(main, signal.SIGINT)

        def run() -> None:
            with postgres.connect(LABEL, HOUR) as session:
                threading.Thread(target=end, args=(session,)).start()
                session.execute(query("select * from locked"))

        try:
            with connection.transaction():
                connection.execute("lock table locked in access exclusive mode")
                with pytest.raises(QueryCancelled if how == "cancelled" else KeyboardInterrupt):
                    run()
                await_value("the backend to wait no longer", lambda: not waits())
        finally:
            connection.execute("drop table locked")
