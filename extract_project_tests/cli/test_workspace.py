"""`extract workspace`: what it prints is what Dagster loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster._core.workspace.load import location_origins_from_yaml_paths

from extract_project_tests.support.commands import call

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "servers"),
    [
        (("sales=10.0.0.7,crm=crm-code",), {"sales": "10.0.0.7", "crm": "crm-code"}),
        (("--domain", "acme.internal", "crm,hr=hr-code"),
         {"crm": "crm.acme.internal", "hr": "hr-code"}),
        (("--domain", "acme.internal", ""), {}),
    ],
)  # fmt: skip
def test_dagster_loads_it_beside_the_file_of_the_image(
    arguments: tuple[str, ...],
    servers: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXTRACT_CODE_SERVER_HOST", "code")
    further = tmp_path / "further.yaml"
    further.write_text(call("workspace", *arguments).stdout)
    files = [str(_ROOT / "workspace.yaml"), str(further)]
    loaded = {each.location_name: each for each in location_origins_from_yaml_paths(files)}
    found = {name: getattr(each, "host", None) for name, each in loaded.items()}
    assert found == {"extract_project": "code", **servers}
    assert {getattr(each, "port", None) for each in loaded.values()} == {4000}


@pytest.mark.parametrize("locations", ["crm", "=host", "crm=", "crm=a,crm=b"])
def test_a_location_without_a_host_or_twice_is_refused(locations: str) -> None:
    refused = call("workspace", locations)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "expected" in refused.stderr
