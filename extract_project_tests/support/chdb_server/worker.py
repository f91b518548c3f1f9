"""ClickHouse's engine in a process of its own: a statement comes in, pieces of its answer go out.

Run by the Python of the engine's environment, which has none of this project's packages. A request
is a line of JSON with `sql`, `form`, `settings` and `values`. The answer is a sequence of pieces: a
letter (D for data, E for the text of an error, Z for the end), the length in four bytes, the bytes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_PIECE = 64 << 10


def main(directory: str) -> None:
    """Answer requests until standard input ends. The databases are below `directory`."""
    from chdb import session  # type: ignore[import-not-found]

    engine = session.Session(directory)
    engine.query("select 1")
    _send(b"Z", b"")
    current: dict[str, str] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            _run(engine, request, current)
        except Exception as error:
            _send(b"E", str(error).encode())
        _send(b"Z", b"")


def _run(engine: Any, request: Any, current: dict[str, str]) -> None:
    """`current` are the settings of the requests before."""
    wanted = request["settings"]
    for name in [*(current.keys() - wanted.keys())]:
        engine.query(f"set {name} = default")
        del current[name]
    for name, value in wanted.items():
        if current.get(name) != value:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            engine.query(f"set {name} = '{escaped}'")
            current[name] = value
    answer = engine.query(request["sql"], request["form"], params=request["values"]).bytes()
    for begin in range(0, len(answer), _PIECE):
        _send(b"D", answer[begin : begin + _PIECE])


def _send(kind: bytes, data: bytes) -> None:
    sys.stdout.buffer.write(kind + len(data).to_bytes(4, "big") + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
