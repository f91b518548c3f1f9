"""One of each is added as docs/architecture.md says: in a copy of the package, one new file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

import extract_project
from extract_project_tests.conftest import Site
from extract_project_tests.support import memory_store

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[1]

_ODD_ROWS = """
from typing import Any
from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict

class OddRows(CheckSpec):
    key = "odd_rows"
    form = "true or false, as in odd_rows: true"

    odd_rows: bool

    @property
    def rule(self) -> str:
        return "an odd number of rows"

    def auditor(self, subject: Subject) -> Auditor:
        return _Count()

class _Count(Auditor):
    rows = 0

    def observe(self, batch: Any, first_row: int) -> None:
        self.rows += batch.num_rows

    def conclude(self, result: Any) -> Verdict:
        return Verdict(self.rows % 2 == 1, f"{self.rows} rows are even")
"""
_NUMBERS = """
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal
import pyarrow as pa
from pydantic import BaseModel, ConfigDict
from extract_project.sql import tokens
from extract_project.sql.dialect import Call, Reading
from extract_project.schema.choices import DEFAULTS, TypeChoices

SCHEMA = pa.schema([("n", pa.int64())])

class Numberish:
    name = "numberish"
    lexicon = tokens.DUCKDB
    type_choices = frozenset[str]()
    bills_bytes = False
    unloads = False

    def read(self, text):
        return Reading(tuple(Call((each.text,), each.start) for each in text.tokens[:1]))

    def objection(self, function):
        return None if function == ("count",) else "does not count"

class NumbersWarehouse(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["numbers"]
    dialect: ClassVar[Numberish] = Numberish()
    forbidden_functions: ClassVar[frozenset[str]] = frozenset()
    types: ClassVar[TypeChoices] = DEFAULTS
    upto: int

    @contextmanager
    def connect(self, label, timeout) -> Iterator["Session"]:
        yield Session(self.upto)

class Session:
    def __init__(self, upto):
        self.upto = upto

    def execute(self, query):
        return Result(self.upto)

    def describe(self, query):
        return SCHEMA

    def last_changes(self, tables):
        return {}

    def cancel(self):
        pass

class Result:
    schema, query_id, query_url, usage = SCHEMA, None, None, None

    def __init__(self, upto):
        self.upto = upto

    def batches(self):
        yield pa.record_batch([pa.array(range(self.upto))], schema=SCHEMA)
"""
_ARROW_STREAM = """
import pyarrow as pa
from extract_project.formats.protocol import Format

class ArrowStream(Format):
    name = "arrows"
    content_type = "application/vnd.apache.arrow.stream"
    codecs = ("none",)

    def encoder(self, sink, schema, file_format):
        return Encoder(sink, schema)

    def read(self, file, file_format, schema):
        return pa.ipc.open_stream(file)

class Encoder:
    def __init__(self, sink, schema):
        self._writer = pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema)

    def write(self, rows):
        self._writer.write_table(rows)

    def close(self):
        self._writer.close()
"""
_MEMORY_BUCKETS = """

_BUCKETS: dict[str, MemoryStore] = {}

class MemoryBuckets:
    @classmethod
    def connected(cls, kms_key_id):
        return cls()

    def bucket(self, name):
        return _BUCKETS.setdefault(name, MemoryStore(name))
"""
_COMMAND = '''
import click

@click.command()
def shout() -> None:
    """Say it loudly."""
    click.echo("LOUD")
'''


@dataclass(frozen=True)
class Copy:
    """The package, copied, so that a file can be added and its registry edited."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "extract_project"

    def add(self, file: str, text: str) -> None:
        (self.package / file).write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.package / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} in {file}"
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, site: Site | None = None, given: str = "", **more: str) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if name[:8] != "EXTRACT_"},
            **(site.environment if site else {}),
            **more,
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(_ROOT)]),
            "PYTHONSAFEPATH": "1",  # not this checkout, before the copy
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout + done.stderr

    def materialize(self, site: Site, path: str, **more: str) -> str:
        module = "extract_project_tests.support.materialize"
        return self.run("-m", module, path, "run-1", site=site, given="\n", **more)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    source = Path(extract_project.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, tmp_path / "extract_project", ignore=ignored)
    return Copy(tmp_path)


def test_a_check(site: Site, copy: Copy) -> None:
    copy.add("checks/odd_rows.py", _ODD_ROWS)
    copy.edit(
        "checks/__init__.py",
        "from extract_project.checks.rows import MaxRows, MinRows\n",
        "from extract_project.checks.rows import MaxRows, MinRows\n"
        "from extract_project.checks.odd_rows import OddRows\n",
    )
    copy.edit(
        "checks/__init__.py",
        "    SqlCheck,\n",
        "    SqlCheck,\n    OddRows,\n",
    )
    header = "/*---\nchecks: [{odd_rows: true}]\n---*/\n"
    site.put_sql("a/odd", f"{header}select 1 as n")
    site.put_sql("a/even", f"{header}from range(2)")
    site.put_sql("a/wrong", "/*---\nchecks: [{odd_rows: 7}]\n---*/\nselect 1 as n")
    said = copy.materialize(site, "a/wrong")
    assert "'odd_rows': 7 does not fit: expected true or false, as in odd_rows: true" in said
    command = ("-m", "dagster", "asset", "materialize", "-m", "extract_project.definitions")
    assert "RUN_SUCCESS" in copy.run(*command, "--select", "a/odd", site=site)
    assert "2 rows are even" in copy.run(*command, "--select", "a/even", site=site)
    assert site.version_ids("extracts/a/even.parquet") == []


def test_a_warehouse(site: Site, copy: Copy) -> None:
    """With an SQL of its own."""
    copy.add("warehouses/numbers.py", _NUMBERS)
    duckdb = '    "duckdb": "extract_project.warehouses.duckdb:DuckDBWarehouse",\n'
    numbers = '    "numbers": "extract_project.warehouses.numbers:NumbersWarehouse",\n'
    copy.edit("warehouses/registry.py", duckdb, duckdb + numbers)
    site.put_sql("a/b", "count to the end")
    site.put_sql("a/c", "skip to the end")
    shop = {"EXTRACT_WAREHOUSES__SHOP__TYPE": "numbers", "EXTRACT_WAREHOUSES__SHOP__UPTO": "3"}
    said = copy.materialize(site, "a/b", **shop)
    assert "published" in said, said
    assert "a/c.sql:1:1: 'skip' does not count" in copy.materialize(site, "a/c", **shop)
    wrong = {**shop, "EXTRACT_WAREHOUSES__SHOP__UPTOO": "3"}
    assert "is not a setting of a numbers warehouse: did you mean 'upto'" in copy.materialize(
        site, "a/b", **wrong
    )


def test_a_store(copy: Copy) -> None:
    """An installation is in it: the SQL, what is published, and what is kept beside that."""
    memory = Path(memory_store.__file__).read_text()
    copy.add("store/memory.py", memory + _MEMORY_BUCKETS)
    copy.edit(
        "store/schemes.py",
        "from extract_project.store.protocol import Buckets\n",
        "from extract_project.store.memory import MemoryBuckets\n"
        "from extract_project.store.protocol import Buckets\n",
    )
    copy.edit(
        "store/schemes.py",
        '    "s3": S3Buckets,\n',
        '    "s3": S3Buckets,\n    "memory": MemoryBuckets,\n',
    )
    script = """
from extract_project.published import history, open_published
from extract_project.settings import load_settings
from extract_project_tests.support.materialize import main
manifest = load_settings().connect().manifest
manifest.store.put(manifest.key("a/b.sql"), b"select 7 as n", "application/sql")
main("a/b", "run-1")
print(open_published("memory://data/extracts", "a/b").read_all().to_pydict())
print([entry.receipt.rows for entry in history("memory://data/extracts", "a/b")])
"""
    said = copy.run(
        "-c",
        script,
        given="\n",
        EXTRACT_MANIFEST="memory://sql",
        EXTRACT_DATA="memory://data/extracts",
        EXTRACT_WAREHOUSES__SHOP__TYPE="duckdb",
    )
    assert said.endswith("{'n': [7]}\n[1]\n"), said


def test_a_format(site: Site, copy: Copy) -> None:
    """It is published, read back and compared, and the header knows its name."""
    copy.add("formats/arrows.py", _ARROW_STREAM)
    copy.edit(
        "formats/registry.py",
        "from extract_project.formats.arrow import Arrow\n",
        "from extract_project.formats.arrow import Arrow\n"
        "from extract_project.formats.arrows import ArrowStream\n",
    )
    copy.edit("formats/registry.py", "    Arrow(),\n", "    Arrow(),\n    ArrowStream(),\n")
    for rows in (2, 3):
        site.put_sql("a/b", f"/*---\nformat: arrows\n---*/\nselect range as n from range({rows})")
        assert "published" in copy.materialize(site, "a/b")
    body = site.body(site.data.key("a/b.arrows"))
    assert pa.ipc.open_stream(body).read_all().to_pydict() == {"n": [0, 1, 2]}

    script = """
import sys
from extract_project.published import open_published
print(open_published(sys.argv[1], "a/b").read_all().to_pydict())
"""
    assert copy.run("-c", script, site.data.uri, site=site) == "{'n': [0, 1, 2]}\n"
    diff = "from extract_project.cli.main import main; main(['diff', 'a/b'])"
    assert "the data differs: 1 row added" in copy.run("-c", diff, site=site)

    site.put_sql("a/c", "/*---\nformat: arow\n---*/\nselect 1 as n")
    said = copy.materialize(site, "a/c")
    assert "did you mean 'arrow" in said, said
    site.put_sql("a/d", "/*---\nformat: arrows\ncompression: zstd\n---*/\nselect 1 as n")
    assert "arrows has no compression 'zstd'" in copy.materialize(site, "a/d")


def test_a_command(copy: Copy) -> None:
    copy.add("cli/published/shout.py", _COMMAND)
    show, shout = '    "show": "published.show",\n', '    "shout": "published.shout",\n'
    copy.edit("cli/main.py", show, show + shout)
    assert copy.run("-c", "from extract_project.cli.main import main; main(['shout'])") == "LOUD\n"


@pytest.mark.parametrize("shapes", [True, False])
def test_a_header_key(copy: Copy, shapes: bool) -> None:
    """One line in the header; a key that shapes the data also changes the code version."""
    kind = "Annotated[int, SHAPES_DATA]" if shapes else "int"
    copy.edit(
        "manifest/header/model.py",
        "    cpu: Cpu | None = Field(\n",
        f"    sample: {kind} = 0\n    cpu: Cpu | None = Field(\n",
    )
    script = """
from extract_project.source import SqlSource
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.sql.duckdb import DuckDB
source = SqlSource(key="k", version_id="v", etag="e", sha256="s")
def read(n):
    text = f"/*---\\nsample: {n}\\n---*/\\nselect 1 as n".encode()
    return parse_extract("a/b", text, source, Dialects({"w": DuckDB()}, "w"))
print(read(5).header.sample, read(5).code_version != read(6).code_version)
"""
    assert copy.run("-c", script) == f"5 {shapes}\n"
