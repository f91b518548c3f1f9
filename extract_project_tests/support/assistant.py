"""An assistant: the SDK's own client, which starts the command and calls its tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ListToolsResult, TextContent

from extract_project_tests.support.commands import PROGRAM


@dataclass(frozen=True)
class Assistant:
    """Asks in one session, whose server runs in `folder`."""

    folder: Path
    _portal: BlockingPortal
    _client: Client

    def tools(self) -> ListToolsResult:
        return self._portal.call(self._client.list_tools)

    def call(self, tool: str, **arguments: object) -> CallToolResult:
        result: CallToolResult = self._portal.call(self._client.call_tool, tool, arguments)
        return result

    def ask(self, tool: str, **arguments: object) -> dict[str, Any]:
        """The answer; an error is one of the test."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        return dict(result.structured_content)

    def refusal(self, tool: str, **arguments: object) -> str:
        result = self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        return "\n".join(each.text for each in result.content if isinstance(each, TextContent))


@contextmanager
def assistant_in(
    folder: Path, environment: Mapping[str, str], *options: str
) -> Iterator[Assistant]:
    """An assistant whose session ends with the block; `options` are those of `extract mcp`."""
    server = StdioServerParameters(
        command=str(PROGRAM), args=["mcp", *options], env=dict(environment), cwd=folder
    )
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(server)) as client,
    ):
        yield Assistant(folder, portal, client)
