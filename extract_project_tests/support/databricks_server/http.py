"""The HTTP side: routes, tokens, and faults."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from extract_project_tests.support.databricks_server.service import Refused, Reply, Service
from extract_project_tests.support.http_double import DoubleHandler, serving, without_rows
from extract_project_tests.support.http_faults import Fault

_BASE = "/api/2.0/sql"
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key"


@dataclass(frozen=True)
class DatabricksServer:
    """A running server."""

    host: str
    port: int
    service: Service


@contextmanager
def databricks_server(service: Service, port: int = 0) -> Iterator[DatabricksServer]:
    """Serve on the loopback address, within the block."""
    with serving(port, _Handler, service) as at:
        try:
            yield DatabricksServer("127.0.0.1", at, service)
        finally:
            service.cancel_all()


class _Handler(DoubleHandler):
    def answer(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.server.service.faults.take(path)
        if self.refused(fault):
            return
        if path.startswith("/external/"):
            self._send_chunk(path, fault)
            return
        try:
            reply, status = self._route(path, body), 200
        except Refused as refused:
            reply, status = refused.reply, refused.status
        self.send(json.dumps(reply).encode(), status, fault=fault)

    def _route(self, path: str, body: bytes) -> Reply:
        service: Service = self.server.service
        kind, _, credentials = (self.headers.get("authorization") or "").partition(" ")
        if path == "/oidc/v1/token":
            client_id, _, secret = base64.b64decode(credentials).decode().partition(":")
            return service.issue(client_id, secret, dict(parse_qsl(body.decode())))
        service.require(credentials if kind == "Bearer" else "")
        data: Any = json.loads(body) if body else {}
        asked = self.command, path.removeprefix(_BASE)
        if asked == ("POST", "/sessions"):
            return service.open_session(data)
        if asked[0] == "DELETE" and (found := re.fullmatch(r"/sessions/(\w+)", asked[1])):
            return service.close_session(found.group(1))
        if asked == ("POST", "/statements"):
            return service.submit(data)
        if asked == ("GET", "/warehouses/abc123"):
            return service.warehouse()
        if found := re.fullmatch(r"/statements/([0-9a-f-]{36})", asked[1]):
            return service.status(found.group(1))
        if found := re.fullmatch(r"/statements/([0-9a-f-]{36})/cancel", asked[1]):
            return service.cancel(found.group(1))
        if found := re.fullmatch(r"/statements/([0-9a-f-]{36})/result/chunks/(\d+)", asked[1]):
            return service.link(found.group(1), int(found.group(2)))
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"no API found for {self.command} {path}")

    def _send_chunk(self, path: str, fault: Fault | None) -> None:
        """As S3: a signed address refuses a token, and an expired one everything."""
        statement_id, number, generation = path.split("/")[2:]
        body = self.server.service.chunk(statement_id, int(number), int(generation))
        if self.headers.get("authorization"):
            self.send(b"<Error><Code>InvalidArgument</Code></Error>", 400)
        elif body is None or not self.headers.get(_CUSTOMER_KEY):
            self.send(b"<Error><Code>AccessDenied</Code></Error>", 403)
        elif fault and fault.kind == "truncate":
            self.send(body[: len(body) // 2])
        elif fault and fault.kind == "short":
            self.send(without_rows(body))
        else:
            self.send(body, fault=fault)
