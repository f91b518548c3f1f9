"""The task metadata endpoint: what a process in a task can ask about itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PREFIX = "/v4/"


@contextmanager
def metadata_endpoint(task: Callable[[str], Any]) -> Iterator[str]:
    """Serve what `task` knows of an id; gives the URL that task ids are appended to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            task_id, _, rest = self.path.removeprefix(_PREFIX).partition("/")
            found = task(task_id)
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = json.dumps(_body(found, rest)).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests have no use for a line per request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="ecs-metadata", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{_PREFIX}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(task: Any, what: str) -> dict[str, Any]:
    container = {"Name": task.containers[0].name, "Image": task.containers[0].image}
    if what != "task":
        return container
    return {"Cluster": task.cluster_arn, "TaskARN": task.task_arn, "Containers": [container]}
