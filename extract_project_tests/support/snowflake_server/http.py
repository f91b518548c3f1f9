"""The HTTP side: routes, authorization headers, and faults."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from extract_project_tests.support.http_double import DoubleHandler, serving, without_rows
from extract_project_tests.support.http_faults import Fault
from extract_project_tests.support.snowflake_server.service import Reply, Service

_TOKEN = re.compile(r'Snowflake Token="([^"]*)"')
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key"


@dataclass(frozen=True)
class SnowflakeServer:
    """A running server."""

    host: str
    port: int
    service: Service


@contextmanager
def snowflake_server(service: Service, port: int = 0) -> Iterator[SnowflakeServer]:
    """Serve on the loopback address, within the block."""
    with serving(port, _Handler, service) as at:
        try:
            yield SnowflakeServer("127.0.0.1", at, service)
        finally:
            service.abort_all()


class _Handler(DoubleHandler):
    def answer(self) -> None:
        address = urlsplit(self.path)
        path = re.sub("/+", "/", address.path)  # the connector sends /monitoring/queries//<id>
        body = self._body()
        fault = self.server.service.faults.take(path)
        if self.refused(fault):
            return
        if path.startswith("/chunks/"):
            self._send_chunk(path, fault)
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        reply = self._route(path, query, json.loads(body) if body else {})
        self.send(json.dumps(reply).encode(), fault=fault)

    def _body(self) -> bytes:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data

    def _route(self, path: str, query: dict[str, str], body: Any) -> Reply:
        service: Service = self.server.service
        token = self._token()
        if path == "/session/v1/login-request":
            return service.login(body["data"])
        if path == "/session/token-request":
            return service.renew(token)
        if path == "/session" and query.get("delete") == "true":
            return service.end_session(token)
        if path == "/queries/v1/query-request":
            return service.submit(token, query["requestId"], body)
        if found := re.fullmatch(r"/queries/([0-9a-f-]{36})/result", path):
            return service.result(token, found.group(1))
        if found := re.fullmatch(r"/queries/([0-9a-f-]{36})/abort-request", path):
            return service.abort(found.group(1))
        if found := re.fullmatch(r"/monitoring/queries/([0-9a-f-]{36})", path):
            return service.status(found.group(1))
        return {"success": True, "code": None, "message": None, "data": None}

    def _token(self) -> str:
        found = _TOKEN.match(self.headers.get("authorization") or "")
        return found.group(1) if found else ""

    def _send_chunk(self, path: str, fault: Fault | None) -> None:
        query_id, number, generation = path.split("/")[2:]
        body = self.server.service.chunk(query_id, int(number), int(generation))
        if body is None or not self.headers.get(_CUSTOMER_KEY):
            self.send(b"<Error><Code>AccessDenied</Code></Error>", 403)
            return
        if fault and fault.kind == "truncate":
            stream = gzip.decompress(body)
            body = gzip.compress(stream[: len(stream) // 2])
        if fault and fault.kind == "short":
            body = gzip.compress(without_rows(gzip.decompress(body)))
        self.send(body, headers={"content-encoding": "gzip"}, fault=fault)
