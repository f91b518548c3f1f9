"""A CSV file in MariaDB, in the dialect of docs/csv.md: `load data local infile`."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.registry import chosen_format
from extract_project_tests.support.files import write
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.skipif(shutil.which("mariadbd") is None, reason="MariaDB is not installed")

AS_USER = [f"--user={getpass.getuser()}"]
PAGE = Path(__file__).parents[2] / "docs" / "csv.md"
MOMENTS = [
    datetime(2026, 1, 2, 3, 4, 5, 123456, UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    None,
    datetime(1970, 1, 1, tzinfo=UTC),
]
AMOUNTS = [Decimal("-1234567890123456.78"), Decimal("0.01"), None, Decimal("0.00")]
TABLE = pa.table(
    {
        "id": pa.array([2**53 + 1, -(2**63), None, 7], pa.int64()),
        "amount": pa.array(AMOUNTS, pa.decimal128(18, 2)),
        "text": ["", 'a\tb\r\n\\c "d", ü€😀', None, "\\N"],
        "day": [date(2026, 1, 2), date(9999, 12, 31), None, date(1000, 1, 1)],
        "at": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
    }
)


def test_every_value_arrives_in_mariadb(tmp_path: Path) -> None:
    (shown,) = re.findall(r"## MariaDB.*?```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    chosen = chosen_format("csv", "none", Dialect(**yaml.safe_load(shown)["csv"]))
    file = tmp_path / "orders.csv"
    file.write_bytes(write(TABLE, chosen))
    with mariadb(tmp_path) as ask:
        ask("create database shop character set utf8mb4")
        found = ask(
            "use shop; create table orders (id bigint, amount decimal(18,2), text text, day date, "
            f"at datetime(6)); load data local infile '{file}' into table orders "
            "character set utf8mb4; show warnings; "
            "select id, amount, hex(text), day, at from orders"
        )
    expected = [[as_printed(value) for value in row.values()] for row in TABLE.to_pylist()]
    assert [line.split("\t") for line in found.splitlines()] == expected


def as_printed(value: object) -> str:
    """As its client prints it; text in hexadecimal digits."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value.encode().hex().upper()
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else str(value)


@dataclass(frozen=True)
class Ask:
    """Runs SQL in the server that listens on a socket, and gives what the client prints."""

    socket: Path

    def __call__(self, sql: str) -> str:
        done = self._run(sql)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def is_answered(self) -> bool:
        return self._run("select 1").returncode == 0

    def _run(self, sql: str) -> subprocess.CompletedProcess[str]:
        client = ["mariadb", "--no-defaults", "--local-infile=1", f"--socket={self.socket}"]
        command = [*client, "--batch", "--raw", "--skip-column-names"]
        return subprocess.run(command, input=sql, capture_output=True, text=True)


@contextmanager
def mariadb(directory: Path) -> Iterator[Ask]:
    """A server of its own."""
    data, socket = directory / "data", directory / "socket"
    install = ["mariadb-install-db", f"--datadir={data}", "--skip-test-db"]
    subprocess.run([*install, *AS_USER], check=True, capture_output=True)
    local = [f"--datadir={data}", f"--socket={socket}", "--skip-networking"]
    command = ["mariadbd", "--no-defaults", *local, "--skip-grant-tables", *AS_USER]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            ask = Ask(socket)
            await_value("MariaDB", lambda: ask.is_answered)
            yield ask
        finally:
            server.terminate()
