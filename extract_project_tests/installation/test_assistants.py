"""An assistant asks a running deployment what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.types import CallToolResult

from extract_project.assistants import asking
from extract_project.assistants.server import build
from extract_project_tests.support.assistant import Assistant, assistant_in
from extract_project_tests.support.installation import Installation

pytestmark = pytest.mark.slow

FILES = {
    "assistants/broken": "/*---\ngroup: assistants\n---*/\nselect nope",
    "assistants/off": "/*---\ngroup: assistants\nenabled: false\n---*/\nselect 1 as n",
}


@pytest.fixture
def assistant(installed: Installation, tmp_path: Path) -> Iterator[Assistant]:
    with assistant_in(tmp_path, installed.command_environment) as opened:
        yield opened


def test_an_assistant_finds_what_has_failed_and_why(
    installed: Installation, assistant: Assistant
) -> None:
    assert installed.run("assistants/broken").status == "FAILURE"
    status = assistant.ask("status", group="assistants")
    assert [(each["extract"], each["state"]) for each in status["extracts"]] == [
        ("assistants/broken", "failed"),
        ("assistants/off", "disabled"),
    ]
    assert status["left_out"] == 0
    assert assistant.ask("status", group="assistants", limit=1)["left_out"] == 1
    only = assistant.ask("status", group="assistants", only="failed")["extracts"]
    assert [each["extract"] for each in only] == ["assistants/broken"]
    why = assistant.ask("why", extract="assistants/broken")
    assert "nope" in str(why)
    assert "extract rerun" in str(why)
    failed = assistant.ask("failed", group="assistants")
    assert "assistants/broken.sql:4:8" in str(failed)


def test_a_limit_shortens_an_answer_that_is_too_long(
    installed: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 5,000 extracts it would be several megabytes."""
    for name, value in installed.command_environment.items():
        monkeypatch.setenv(name, value)

    async def status(limit: int) -> CallToolResult:
        async with Client(build(tmp_path, with_preview=False)) as client:
            return await client.call_tool("status", {"limit": limit})

    short = len(json.dumps(asyncio.run(status(1)).structured_content))
    monkeypatch.setattr(asking, "MOST_CHARACTERS", short + 100)
    assert "ask for less, by its filters or limits" in str(asyncio.run(status(100)).content)
    shortened = asyncio.run(status(1))
    assert not shortened.is_error, shortened.content
    assert shortened.structured_content is not None
    assert len(shortened.structured_content["extracts"]) == 1
