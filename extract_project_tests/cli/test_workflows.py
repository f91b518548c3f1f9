"""The workflows for pull requests: what `extract init` writes, and what the docs have of GitHub and
GitLab.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import click
import pytest
import yaml

from extract_project.cli.files.starter import workflow
from extract_project.cli.main import main
from reference.__main__ import DOCS

PAGE = (DOCS / "pull-requests.md").read_text()
GITHUB, GITLAB = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VALUES = {
    "EXTRACT_MANIFEST": "s3://acme-sql/sql",
    "EXTRACT_DATA": "s3://acme-extracts/extracts",
    "EXTRACT_WAREHOUSES__SHOP__TYPE": "postgres",
    "EXTRACT_WAREHOUSES__SHOP__HOST": "db.acme.com",
}


def scripts(text: str) -> list[str]:
    """Every shell command of a workflow."""

    def found(value: Any) -> list[str]:
        if isinstance(value, list):
            return [each for item in value for each in found(item)]
        if not isinstance(value, dict):
            return []
        mine = [value.get(key) for key in ("run", "script", "before_script", "after_script")]
        lines = [each for part in mine for each in (part if isinstance(part, list) else [part])]
        return [each for each in lines if each] + [
            each for item in value.values() for each in found(item)
        ]

    return found(yaml.safe_load(text))


def test_the_docs_have_what_init_writes() -> None:
    assert workflow(VALUES, ["EXTRACT_WAREHOUSES__SHOP__PASSWORD"], "sql_manifest") == GITHUB


@pytest.mark.parametrize("text", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_their_commands_exist_with_their_options(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sql_manifest").mkdir()
    commands = [
        line.partition(" #")[0].partition(" > ")[0].removeprefix("extract ")
        for script in scripts(text)
        for line in script.splitlines()
        if line.startswith("extract ")
    ]
    assert {each.split()[0] for each in commands} == {"check", "plan", "push"}
    above = click.Context(main, **main.context_settings)
    for command in commands:
        name, *arguments = shlex.split(command)
        found = main.get_command(above, name)
        assert found is not None
        found.make_context(name, arguments, parent=above)


@pytest.mark.parametrize("text", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_their_scripts_are_shell(text: str) -> None:
    for script in scripts(text):
        checked = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_nothing_is_pushed_before_a_merge() -> None:
    steps = yaml.safe_load(GITHUB)["jobs"]["extracts"]["steps"]
    (push,) = (each for each in steps if "extract push" in each.get("run", ""))
    assert push["if"] == "github.event_name == 'push'"
    jobs = yaml.safe_load(GITLAB)
    assert [each["if"] for each in jobs["push"]["rules"]] == [
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
    ]
    assert not any("push" in each for each in jobs["plan"]["script"])


def test_gitlab_is_sent_the_plan_as_it_is(tmp_path: Path) -> None:
    plan = "<!-- extract plan -->\n\n**1 new** & `a|b` é 100%\n"
    (tmp_path / "plan.md").write_text(plan)
    received: list[tuple[str, str | None, str]] = []

    class Notes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            received.append((self.path, self.headers["private-token"], body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Notes)
    Thread(target=server.serve_forever, daemon=True).start()
    (script,) = yaml.safe_load(GITLAB)["plan"]["after_script"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "PLAN_TOKEN": "secret",
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "42",
    }
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True, timeout=30)
    server.shutdown()
    ((path, token, body),) = received
    assert (path, token) == ("/api/v4/projects/7/merge_requests/42/notes", "secret")
    assert parse_qs(body) == {"body": [plan]}
