"""An assistant: the SDK's own client, which starts the command and calls its tools."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ListToolsResult, TextContent

from extract_project_tests.support.commands import PROGRAM

T = TypeVar("T")


@dataclass(frozen=True)
class Assistant:
    """Each question is a session of its own."""

    folder: Path
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()

    def tools(self) -> ListToolsResult:
        return self._with_client(lambda client: client.list_tools())

    def call(self, tool: str, **arguments: object) -> CallToolResult:
        return self._with_client(lambda client: client.call_tool(tool, arguments))

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

    def _with_client(self, work: Callable[[Client], Awaitable[T]]) -> T:
        server = StdioServerParameters(
            command=str(PROGRAM),
            args=["mcp", *self.options],
            env=dict(self.environment),
            cwd=self.folder,
        )

        async def session() -> T:
            async with Client(server) as client:
                return await work(client)

        return asyncio.run(session())
