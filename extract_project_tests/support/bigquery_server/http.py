"""The HTTP side: routes, tokens, and faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from extract_project_tests.support.bigquery_server.service import Refused, Reply, Service
from extract_project_tests.support.bigquery_server.sign_in import SUBJECT, Denied
from extract_project_tests.support.bigquery_server.storage import serving_storage
from extract_project_tests.support.http_double import DoubleHandler, serving

_BASE = "/bigquery/v2/projects/"


@dataclass(frozen=True)
class BigQueryServer:
    """A running server."""

    address: str
    storage_address: str
    service: Service


@contextmanager
def bigquery_server(service: Service) -> Iterator[BigQueryServer]:
    """Serve both APIs on the loopback address, within the block."""
    with serving(0, _Handler, service), serving_storage(service) as port:
        try:
            yield BigQueryServer(service.address, f"http://127.0.0.1:{port}", service)
        finally:
            service.cancel_all()


class _Handler(DoubleHandler):
    def answer(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.server.service.faults.take(path)
        if self.refused(fault):
            return
        if path == "/subject":
            self.send(SUBJECT.encode())
            return
        try:
            reply, status = self._route(path, body), 200
        except Refused as refused:
            reply, status = refused.reply, refused.status
        except ConnectionResetError:  # the answer is lost
            self.close_connection = True
            return
        except Denied as denied:
            reply, status = {"error": str(denied), "error_description": "denied"}, 400
        self.send(json.dumps(reply).encode(), status, fault=fault)

    def _route(self, path: str, body: bytes) -> Reply:
        service: Service = self.server.service
        if path == "/token":
            return service.sign_in.for_jwt(dict(parse_qsl(body.decode())))
        if path == "/sts/v1/token":
            return service.sign_in.for_subject(dict(parse_qsl(body.decode())))
        kind, _, token = (self.headers.get("authorization") or "").partition(" ")
        if kind != "Bearer" or token not in service.sign_in.tokens:
            raise Refused("authError", "Request had invalid authentication credentials.")
        data: Any = json.loads(body) if body else {}
        project, _, rest = path.removeprefix(_BASE).partition("/")
        if not path.startswith(_BASE) or unquote(project) != service.project:
            raise Refused("notFound", f"Not found: Project {project}")
        location = dict(parse_qsl(urlsplit(self.path).query)).get("location", "US")
        if (self.command, rest) == ("POST", "jobs"):
            return service.insert(data)
        if found := re.fullmatch(r"jobs/([\w-]+)", rest):
            return service.job(found[1], location)
        if found := re.fullmatch(r"jobs/([\w-]+)/cancel", rest):
            return service.cancel(found[1], location)
        if found := re.fullmatch(r"queries/([\w-]+)", rest):
            return service.results(found[1], location)
        if found := re.fullmatch(r"datasets/(\w+)/tables/([^/]+)", rest):
            return service.table(f"{found[1]}.{unquote(found[2])}")
        raise Refused("notFound", f"no API found for {self.command} {path}")
