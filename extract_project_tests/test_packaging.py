"""What is shipped: the image, the locks, the workspace."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_dockerfile_has_no_finding() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert found.stdout == ""
    assert found.returncode == 0


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_with_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", text)
    pinned = re.findall(r"^\S+==\S+", text, re.MULTILINE)
    assert len(pinned) > 50
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_dependency(lock: str) -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)", (ROOT / lock).read_text(), re.MULTILINE))
    declared = project()["project"]
    wanted = list(declared["dependencies"])
    if lock == "requirements-dev.lock":
        wanted += [*declared["optional-dependencies"]["embedded"]]
        wanted += declared["optional-dependencies"]["dev"][1:]
    names = {re.split(r"[\[<>=; ]", requirement)[0].lower() for requirement in wanted}
    assert names <= locked


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    requirements = [line for line in lines if re.match(r'^    "[a-z0-9-]+(\[\w+\])?>=', line)]
    assert len(requirements) > 15
    unexplained = [line for line in requirements if " # " not in line and "types-" not in line]
    assert [line for line in unexplained if "pytest>" not in line and "ruff" not in line] == []


def test_workspace_and_cloud_name_the_code_location() -> None:
    dg = project()["tool"]["dg"]["project"]
    (server,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert server["grpc_server"]["location_name"] == dg["code_location_name"]
    (location,) = yaml.safe_load((ROOT / "dagster_cloud.yaml").read_text())["locations"]
    assert location["location_name"] == dg["code_location_name"]
    assert location["code_source"]["module_name"] == dg["code_location_target_module"]
    assert dg["code_location_target_module"] in (ROOT / "Dockerfile").read_text()
