"""What is shipped: the image, the locks, the workspace."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
EXTRAS: dict[str, tuple[str, ...]] = {
    "requirements.lock": (),
    "requirements-warehouses.lock": ("bigquery",),
    "requirements-demo.lock": ("embedded",),
    "requirements-dev.lock": ("embedded", "dev"),
}
LOCKS = (*EXTRAS, "deploy/sbom.lock")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_what_the_demo_installs_is_not_installed_again_in_another_version() -> None:
    assert pins("requirements-demo.lock").items() <= pins("requirements-dev.lock").items()


def test_the_dockerfile_has_no_finding() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert found.stdout == ""
    assert found.returncode == 0


def test_the_base_is_pinned_and_every_file_of_the_image_is_sent_to_its_build() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    sent = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert {name for names in copied for name in names.split()} == set(sent)
    assert all((ROOT / name).exists() for name in sent)


def pins(lock: str) -> dict[str, str]:
    """Name to version, of every entry of a lock."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def declared(*extras: str) -> list[Requirement]:
    """What pyproject names, without the project's reference to itself."""
    named = project()["project"]
    texts = [*named["dependencies"]]
    for extra in extras:
        texts += named["optional-dependencies"][extra]
    found = [Requirement(text) for text in texts]
    return [requirement for requirement in found if requirement.name != named["name"]]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_pins_and_hashes_only(lock: str) -> None:
    """Every line is a pin or a hash: no room for an index, a host or a path."""
    text = (ROOT / lock).read_text()
    pin = re.compile(r"[a-z0-9.-]+==[a-z0-9.+!]+( ; [^/\\]+)? \\")
    digest = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
    lines = text.splitlines()
    assert [line for line in lines if not (pin.fullmatch(line) or digest.fullmatch(line))] == []
    # A pin is followed by its first hash.
    follows = zip(lines, [*lines[1:], ""], strict=True)
    assert [line for line, after in follows if "==" in line and "--hash" not in after] == []
    assert len(pins(lock)) > 30


@pytest.mark.parametrize(("lock", "extras"), EXTRAS.items())
def test_a_lock_is_all_that_an_install_needs(lock: str, extras: tuple[str, ...]) -> None:
    """The image installs with --no-deps: what a lock lacks shows only when it is imported."""
    locked = pins(lock)
    waiting = [(requirement, "pyproject") for requirement in declared(*extras)]
    seen: set[tuple[str, str]] = set()
    wrong: list[str] = []
    while waiting:
        requirement, wanted_by = waiting.pop()
        name = canonicalize_name(requirement.name)
        version = locked.get(name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted_by} needs {requirement}, locked is {version}")
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = [Requirement(text) for text in metadata.requires(name) or []]
                waiting += [
                    (need, name)
                    for need in needs
                    if need.marker is None or need.marker.evaluate({"extra": extra})
                ]
    assert wrong == []


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    requirements = [line for line in lines if re.match(r'^    "[a-z0-9-]+(\[\w+\])?>=', line)]
    assert len(requirements) > 15
    unexplained = [line for line in requirements if " # " not in line and "types-" not in line]
    assert [line for line in unexplained if "pytest>" not in line and "ruff" not in line] == []


def test_workspace_and_cloud_name_the_code_location() -> None:
    dg = project()["tool"]["dg"]["project"]
    (server,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert server["grpc_server"] == {
        "host": {"env": "EXTRACT_CODE_SERVER_HOST"},
        "port": 4000,
        "location_name": dg["code_location_name"],
    }
    (location,) = yaml.safe_load((ROOT / "dagster_cloud.yaml").read_text())["locations"]
    assert location["location_name"] == dg["code_location_name"]
    assert location["code_source"]["module_name"] == dg["code_location_target_module"]
    assert dg["code_location_target_module"] in (ROOT / "Dockerfile").read_text()


def test_make_understands_its_file() -> None:
    """One broken line there, and no target works."""
    done = subprocess.run(
        ["make", "--dry-run", "demo", "test", "lint"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
