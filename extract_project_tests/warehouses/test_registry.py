"""Warehouses of installed packages: each is a distribution on the path of a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs/warehouse.md"
_LOAD = """
import sys
from extract_project.settings import load_settings
print(load_settings().warehouses["shop"])
print(sorted(name for name in sys.modules if "_warehouse" in name))
own = [name for name in sys.modules if name.startswith("extract_project.warehouses.")]
ours = {name.split(".")[2] for name in own}
kinds = {"bigquery", "clickhouse", "databricks", "duckdb", "mysql", "postgres", "redshift",
         "snowflake"}
kinds |= {"conformance"}
assert len(ours & kinds) <= 1, ours
"""


def blocks() -> list[str]:
    """The Python of docs/warehouse.md."""
    return re.findall(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)


def install(folder: Path, package: str, entry: str, **modules: str) -> None:
    """As pip leaves it: the modules, and the metadata beside them."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[extract_project.warehouses]\n{entry}\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def run(folder: Path, *arguments: str, **fields: str) -> str:
    """What a process says that has a warehouse `shop` with these fields."""
    environment = {
        **{name: value for name, value in os.environ.items() if name[:8] != "EXTRACT_"},
        "EXTRACT_MANIFEST": "s3://sql/prod",
        "EXTRACT_DATA": "s3://data/prod",
        **{f"EXTRACT_WAREHOUSES__SHOP__{name}": value for name, value in fields.items()},
        "PYTHONPATH": os.pathsep.join([str(folder), str(_ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.stdout + done.stderr


def acme(folder: Path) -> None:
    install(
        folder,
        "acme-extracts",
        "acme = acme_warehouse:AcmeWarehouse",
        acme_warehouse="\n".join(blocks()[:-1]),
    )


def test_a_package_adds_a_type_and_only_who_names_it_imports_it(tmp_path: Path) -> None:
    acme(tmp_path)
    said = run(tmp_path, "-c", _LOAD, TYPE="acme", PATH="12345")
    assert said.endswith("['acme_warehouse']\n"), said
    assert "path='12345'" in said, "as text, whatever it looks like"
    assert run(tmp_path, "-c", _LOAD, TYPE="duckdb").endswith("[]\n")
    wrong = run(tmp_path, "-c", _LOAD, TYPE="acme", PATHH="x")
    assert "EXTRACT_WAREHOUSES__SHOP__PATHH is not a setting of a acme warehouse" in wrong
    assert "SHOP__PATH is not set: expected the path of this acme warehouse" in wrong
    unknown = run(tmp_path, "-c", _LOAD, TYPE="acmee")
    assert (
        "'acmee': expected one of acme, bigquery, clickhouse, databricks, duckdb, mysql" in unknown
    )
    (tmp_path / "a.sql").write_text("select 1 as n from a join b using (n) where read_csv('x')")
    check = (
        "from extract_project.cli.main import main; main(['check', 'a.sql', '--dialect', 'acme'])"
    )
    checked = run(tmp_path, "-c", f"import sys; {check}", "check", "a.sql", "--dialect", "acme")
    assert "read_csv" in checked


@pytest.mark.parametrize(
    ("entry", "module", "reason"),
    [
        ("acme = nowhere:W", "", "cannot be imported: ModuleNotFoundError: No module named"),
        ("acme = mine:W", "raise OSError('no licence')", "be imported: OSError: no licence"),
        ("acme = mine:W", "", "cannot be imported: AttributeError"),
        ("acme = mine:W", "class W: pass", "is not a pydantic model"),
        (
            "acme = mine:W",
            "import pydantic\nclass W(pydantic.BaseModel): type: str",
            "has no dialect and no connect and no forbidden_functions and no types",
        ),
    ],
)
def test_an_entry_point_that_is_no_warehouse_names_its_package(
    tmp_path: Path, entry: str, module: str, reason: str
) -> None:
    install(tmp_path, "broken-extracts", entry, mine=module)
    said = run(tmp_path, "-c", _LOAD, TYPE="acme")
    assert "SettingsError: EXTRACT_WAREHOUSES__SHOP__TYPE is 'acme': the entry point" in said
    assert "of package broken-extracts" in said
    assert reason in said
    assert run(tmp_path, "-c", _LOAD, TYPE="duckdb").endswith("[]\n"), "nobody else minds"


def test_packages_that_clash_are_named(tmp_path: Path) -> None:
    acme(tmp_path)
    install(tmp_path, "more-extracts", "acme = mine:W\nduckdb = mine:W", mine="")
    both = run(tmp_path, "-c", _LOAD, TYPE="acme", PATH="x")
    assert "acme-extracts and more-extracts have an entry point" in both
    ours = run(tmp_path, "-c", _LOAD, TYPE="duckdb")
    assert "more-extracts has an entry point for warehouses of type 'duckdb'" in ours
    assert run(tmp_path, "-c", _LOAD, TYPE="postgres", HOST="h", USER="u").endswith("[]\n")


def test_a_driver_that_is_missing_is_named_with_the_command(tmp_path: Path) -> None:
    module = "\n".join(blocks()[:-1]).replace('Driver("duckdb"', 'Driver("acme.nothing"')
    install(tmp_path, "acme-extracts", "acme = acme_warehouse:AcmeWarehouse", acme_warehouse=module)
    said = run(tmp_path, "-c", _LOAD, TYPE="acme", PATH="x")
    assert (
        "EXTRACT_WAREHOUSES__SHOP__TYPE is 'acme': such a warehouse needs the module acme.nothing, "
        "which is not installed: pip install 'duckdb>=1.5'" in said
    )


@pytest.mark.slow
def test_the_warehouse_of_the_page_passes_the_suite(tmp_path: Path) -> None:
    acme(tmp_path)
    (tmp_path / "test_acme.py").write_text(blocks()[-1])
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'bt'}")
    said = run(tmp_path, "-m", "pytest", *options, "test_acme.py")
    assert re.search(r"^\d\d passed", said, re.MULTILINE), said
