"""An assistant asks a running deployment what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract_project_tests.support.assistant import Assistant
from extract_project_tests.support.installation import Installation

pytestmark = pytest.mark.slow

FILES = {
    "assistants/broken": "/*---\ngroup: assistants\n---*/\nselect nope",
    "assistants/off": "/*---\ngroup: assistants\nenabled: false\n---*/\nselect 1 as n",
}


def test_an_assistant_finds_what_has_failed_and_why(
    installed: Installation, tmp_path: Path
) -> None:
    assistant = Assistant(tmp_path, installed.command_environment)
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
