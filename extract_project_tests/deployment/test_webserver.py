"""The client of a webserver, against a real HTTP server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from extract_project.deployment.webserver import Webserver
from extract_project.embedded.process import free_port
from extract_project.errors import DeploymentError


class Server(HTTPServer):
    """Answers every question alike, and keeps what it was asked."""

    answer: tuple[int, str] = (200, '{"data": {"version": "1"}}')
    asked: list[tuple[str, dict[str, Any], str | None]]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body, self.headers["authorization"]))
        status, text = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is theirs."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_question_and_its_variables_are_asked(server: Server) -> None:
    webserver = Webserver(f"http://{server.address}/dagster/", 5)
    assert webserver.ask("query V($n: Int) { version }", {"n": 3}) == {"version": "1"}
    ((path, body, authorization),) = server.asked
    assert path == "/dagster/graphql"
    assert body == {"query": "query V($n: Int) { version }", "variables": {"n": 3}}
    assert authorization is None


def test_user_and_password_are_sent_and_never_shown(server: Server) -> None:
    webserver = Webserver(f"http://ann:hunter%402@{server.address}", 5)
    webserver.ask("{ version }", {})
    assert server.asked[0][2] == "Basic YW5uOmh1bnRlckAy"  # ann:hunter@2
    server.answer = 401, ""
    with pytest.raises(DeploymentError) as refused:
        webserver.ask("{ version }", {})
    assert "hunter" not in str(refused.value)
    assert f"no Dagster answers at http://{server.address}: start" in str(refused.value)


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (400, '{"errors": [{"message": "no such field"}]}', "HTTP 400 Bad Request.*no such field"),
        (502, "<html>" + 400 * "x", r"\(HTTP 502 Bad Gateway\)"),
        (200, '{"errors": [{"message": "no such field"}]}', "no such field"),
        (200, '{"data": null}', "null"),
        (200, "<html>a sign-in page</html>", "Expecting value"),
        (200, "", "Expecting value"),
    ],
)
def test_what_is_no_answer_is_told(server: Server, status: int, text: str, told: str) -> None:
    server.answer = status, text
    with pytest.raises(DeploymentError, match=rf"no Dagster answers at .*{told}"):
        Webserver(f"http://{server.address}", 5).ask("{ version }", {})


def test_nobody_listens() -> None:
    with pytest.raises(DeploymentError, match="refused"):
        Webserver(f"http://127.0.0.1:{free_port()}", 5).ask("{ version }", {})
