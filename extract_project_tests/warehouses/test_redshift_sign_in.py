"""Signing in to Redshift: with a password, with the role of the task, over TLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.redshift import RedshiftWarehouse
from extract_project.warehouses.redshift.aws import authorities
from extract_project_tests.support.certificates import make_certificate
from extract_project_tests.support.redshift_server import (
    PASSWORD,
    USER,
    RedshiftServer,
    redshift_server,
)
from extract_project_tests.support.rigs import LABEL, read, redshift_warehouse

GIVEN = {"user": USER, "password": PASSWORD}


@pytest.fixture
def server(postgres: PostgresWarehouse) -> Iterator[RedshiftServer]:
    with redshift_server(postgres) as running:
        yield running


def answers(warehouse: RedshiftWarehouse) -> bool:
    with warehouse.connect(LABEL, timedelta(hours=1)) as session:
        return bool(read(session, "select 1 as n").num_rows == 1)


def test_a_wrong_password_is_the_settings_fault(server: RedshiftServer) -> None:
    warehouse = redshift_warehouse(server, user=USER, password="wrong")
    with pytest.raises(WarehouseError, match="password authentication failed") as raised:
        answers(warehouse)
    assert (raised.value.cause, raised.value.transient) == (Cause.SIGN_IN, False)


def test_a_password_kept_as_sha_256_says_what_to_do(server: RedshiftServer) -> None:
    server.digests.add(USER)
    with pytest.raises(WarehouseError, match=r"kept as SHA-256.*alter user"):
        answers(redshift_warehouse(server))


def test_the_certificate_is_checked_unless_told_otherwise(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    with redshift_server(postgres, certificate) as server:
        strict = {**GIVEN, "sslmode": "verify-full"}
        with pytest.raises(WarehouseError, match="certificate verify failed") as raised:
            answers(redshift_warehouse(server, **strict))
        assert raised.value.cause is Cause.SETTINGS
        known = redshift_warehouse(server, **strict, sslrootcert=str(certificate))
        assert answers(known)
    assert RedshiftWarehouse.model_fields["sslmode"].default == "verify-full"
    assert "Amazon Root CA 1" in Path(authorities()).read_text()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing is set"),
        ({"user": "a", "password": "b", "cluster": "c"}, "USER and PASSWORD and CLUSTER are set"),
        ({"user": "a"}, "PASSWORD is not set"),
        ({"password": "a"}, "USER is not set"),
    ],
)
def test_there_is_one_way_to_sign_in(fields: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RedshiftWarehouse.model_validate({"type": "redshift", "host": "h", **fields})


class _Aws(BaseHTTPRequestHandler):
    """Answers as the Redshift and Redshift Serverless APIs do; see the reference of boto3."""

    status = 200

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        serverless = self.headers.get("X-Amz-Target") == "RedshiftServerless.GetCredentials"
        if self.status != 200:
            body = (
                "<ErrorResponse><Error><Code>AccessDenied</Code>"
                "<Message>no</Message></Error></ErrorResponse>"
            )
        elif serverless and '"workgroupName": "nightly"' in asked and '"dbName": "dev"' in asked:
            body = f'{{"dbUser": "{USER}", "dbPassword": "{PASSWORD}"}}'
        elif "Action=GetClusterCredentialsWithIAM" in asked and "ClusterIdentifier=shop" in asked:
            body = (
                "<GetClusterCredentialsWithIAMResponse><GetClusterCredentialsWithIAMResult>"
                f"<DbUser>{USER}</DbUser><DbPassword>{PASSWORD}</DbPassword>"
                "</GetClusterCredentialsWithIAMResult></GetClusterCredentialsWithIAMResponse>"
            )
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def aws_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), _Aws) as http:
        threading.Thread(target=http.serve_forever, args=[0.02], daemon=True).start()
        address = f"http://127.0.0.1:{http.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield
        http.shutdown()


@pytest.mark.parametrize("way", [{"cluster": "shop"}, {"workgroup": "nightly"}])
def test_the_role_of_the_task_signs_in_without_a_secret(
    server: RedshiftServer, aws_api: None, way: dict[str, str]
) -> None:
    warehouse = redshift_warehouse(server, user=None, region="eu-west-1", **way)
    assert answers(warehouse)


def test_a_role_that_may_not_is_told_what_it_needs(
    server: RedshiftServer, aws_api: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Aws, "status", 403)
    warehouse = redshift_warehouse(server, user=None, region="eu-west-1", cluster="shop")
    with pytest.raises(WarehouseError, match="GetClusterCredentialsWithIAM") as raised:
        answers(warehouse)
    assert (raised.value.cause, raised.value.transient) == (Cause.SIGN_IN, False)
