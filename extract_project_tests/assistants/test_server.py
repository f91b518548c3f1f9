"""`extract mcp` with the SDK's own client: what its tools answer, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract_project.assistants.asking import READ_ONLY, Asker
from extract_project.errors import ExtractError
from extract_project_tests.conftest import Site
from extract_project_tests.support.assistant import Assistant, assistant_in
from extract_project_tests.support.commands import write
from extract_project_tests.support.publishing import publish

pytestmark = pytest.mark.slow

OLD = "select 1 as id, 'x' as town"


@pytest.fixture
def environment(site: Site) -> dict[str, str]:
    return {**os.environ, **site.environment, "EXTRACT_DAGSTER_URL": "http://127.0.0.1:1"}


@pytest.fixture
def assistant(environment: dict[str, str], tmp_path: Path) -> Iterator[Assistant]:
    with assistant_in(tmp_path, environment) as opened:
        yield opened


def test_the_tools_are_those_that_only_read(
    assistant: Assistant, environment: dict[str, str]
) -> None:
    tools = assistant.tools().tools
    assert {tool.name for tool in tools} == READ_ONLY
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.description
    with assistant_in(assistant.folder, environment, "--no-preview") as without:
        assert {tool.name for tool in without.tools().tools} == READ_ONLY - {"preview"}


def test_it_answers_about_files_and_versions(site: Site, assistant: Assistant) -> None:
    publish(site, "a/b", OLD)
    current = publish(site, "a/b", f"{OLD} union all select 2, 'y'")
    write(assistant.folder, "a/b", f"{OLD}, 3 as more")
    before = site.snapshot()

    assert assistant.ask("check")["result"] == []
    (planned,) = assistant.ask("plan", with_sql=True)["result"]
    assert (planned["change"], planned["schema"]["changes"]) == (
        "changed",
        ["widening: 'more', int32, is new, after 'town'"],
    )
    preview = assistant.ask("preview", file="a/b.sql", rows=1)
    assert "more" in str(preview)
    shown = assistant.ask("show", extract="a/b")
    assert shown["published"]["versions"][0]["rows"] == 2
    versions = assistant.ask("versions", extract="a/b", limit=5)["result"]
    assert [each["rows"] for each in versions] == [2, 1]
    assert assistant.ask("diff", extract="a/b")["rows"]
    uri = f"s3://{site.data.bucket}/extracts/a/b.parquet?versionId={current}"
    assert assistant.ask("trace", uri=uri)["rows"] == 2
    write(assistant.folder, "a/b", "delete from x")
    (problem,) = assistant.ask("check", path="a/b.sql")["result"]
    assert "delete" in problem["message"].lower()
    assert site.snapshot() == before
    assert len(site.version_ids("extracts/a/b.parquet")) == 2


def test_what_a_command_refuses_is_said_to_the_assistant(site: Site, assistant: Assistant) -> None:
    publish(site, "a/b", OLD)
    assert "no extract 'a/c': did you mean 'a/b'?" in assistant.refusal("show", extract="a/c")
    assert "no Dagster answers at" in assistant.refusal("status")
    assert "less than or equal to 50" in assistant.refusal("preview", file="a/b.sql", rows=51)


def test_files_outside_of_the_folder_may_not_be_named(
    assistant: Assistant, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write(tmp_path_factory.mktemp("outside"), "a/secret", "select 'secret' as a")
    (assistant.folder / "link.sql").symlink_to(outside)
    for path in (str(outside), f"../{outside.parent.parent.name}/a/secret.sql", "link.sql"):
        for tool, name in (("check", "path"), ("plan", "folder"), ("preview", "file")):
            assert "only files in it may be named" in assistant.refusal(tool, **{name: path})


def test_no_value_becomes_an_option(site: Site, assistant: Assistant) -> None:
    """`--help`, `--delete` and the like are names of extracts here, and none that exists."""
    publish(site, "a/b", OLD)
    assert "no extract '--help'" in assistant.refusal("show", extract="--help")
    refusal = assistant.refusal("versions", extract="a/b", partition="x --limit=1")
    assert "a/b has no partitions" in refusal


def test_only_commands_that_read_can_be_asked(tmp_path: Path) -> None:
    for command in ("push", "run", "rollback", "prune", "nonsense"):
        with pytest.raises(ExtractError, match="is not a command that only reads"):
            Asker(tmp_path).ask(command)


def test_a_command_that_takes_too_long_is_stopped(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("extract_project.assistants.asking._LONGEST_SECONDS", 0.2)
    with pytest.raises(ExtractError, match=r"took longer than 0.2 s and was stopped"):
        Asker(tmp_path).ask("check", str(tmp_path))


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['mcp'] = None; "
        "from extract_project.cli.main import main; main(['mcp'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "pip install 'extract-project[mcp]'" in done.stderr
