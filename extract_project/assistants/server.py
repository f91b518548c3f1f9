"""The tools. Their names, arguments and docstrings are what an assistant reads of them."""

# Without postponed annotations: the SDK reads those of nested functions.

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from extract_project.assistants.asking import Asker, require_short
from extract_project.errors import ExtractError

_INSTRUCTIONS = """\
Extracts are SQL files in S3 whose results are published as versions of S3 objects, run by Dagster.
Begin with `status`: it has every extract with its state, the worst first. `why` explains one, with
evidence and remedy; `failed` has the failure reports. These tools only read. To fix something, tell
the person the command that the answer names.
"""
_MOST_ROWS, _MOST_VERSIONS, _MOST_EXTRACTS = 50, 50, 100

Answer = dict[str, Any]
Extract = Annotated[str, Field(description="Its path, as in sales/orders.")]
Partition = Annotated[
    str | None, Field(description="The key of a partition, as in 2026-01-01, if it has partitions.")
]
File = Annotated[str, Field(description="A path in the folder of the SQL files.")]


def build(folder: Path, *, with_preview: bool) -> MCPServer[Any]:
    """A server of the tools; `folder` has the SQL files that may be named."""
    server: MCPServer[Any] = MCPServer(
        "extract", version=version("extract-project"), instructions=_INSTRUCTIONS
    )
    asker = Asker(folder)
    reads = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
    for tool in (*_of_deployment(asker), *_of_versions(asker), *_of_files(asker)):
        if with_preview or tool.__name__ != "preview":
            server.tool(annotations=reads)(tool)
    return server


Tool = Callable[..., Answer]


def _ask(asker: Asker, command: str, *arguments: str, **options: object) -> Answer:
    return _shortened(asker, command, lambda answer: answer, *arguments, **options)


def _shortened(
    asker: Asker,
    command: str,
    shorten: Callable[[Answer], Answer],
    *arguments: str,
    **options: object,
) -> Answer:
    """A command's answer after `shorten`."""
    try:
        return require_short(command, shorten(asker.ask(command, *arguments, **options)))
    except ExtractError as error:
        raise ToolError(str(error)) from None


def _inside(asker: Asker, path: str) -> str:
    try:
        return asker.inside(path)
    except ExtractError as error:
        raise ToolError(str(error)) from None


def _of_deployment(asker: Asker) -> list[Tool]:
    def status(
        group: str | None = None,
        owner: Annotated[str | None, Field(description="As in team:sales.")] = None,
        only: Annotated[
            Literal["late", "failed"] | None,
            Field(description="`late`: late or overdue; `failed`: failed, refused or invalid."),
        ] = None,
        limit: Annotated[int, Field(ge=1, le=_MOST_EXTRACTS)] = _MOST_EXTRACTS,
    ) -> Answer:
        """The state of every extract, the worst first: failed, late, waiting, fine and others.

        With its last success, its next start, why it is in that state, and what to do. `left_out`
        says how many more there are.
        """

        def worst(answer: Answer) -> Answer:
            extracts = answer["extracts"]
            left_out = max(len(extracts) - limit, 0)
            return {**answer, "extracts": extracts[:limit], "left_out": left_out}

        narrowed = {only: True} if only else {}
        return _shortened(asker, "status", worst, group=group, owner=owner, **narrowed)

    def why(extract: Extract) -> Answer:
        """Why an extract has not run, is late, or waits; each reason with evidence and remedy."""
        return _ask(asker, "why", extract)

    def failed(
        group: str | None = None,
        since: Annotated[str | None, Field(description="As in 30m, 6h, 2d.")] = None,
    ) -> Answer:
        """Each extract and partition whose latest attempt failed, with its failure report."""
        return _ask(asker, "failed", group=group, since=since)

    return [status, why, failed]


def _of_versions(asker: Asker) -> list[Tool]:
    def show(extract: Extract) -> Answer:
        """One extract: its header and where each value comes from, schedule, columns, SQL, how to
        read it.
        """
        return _ask(asker, "show", extract)

    def versions(
        extract: Extract,
        partition: Partition = None,
        limit: Annotated[int, Field(ge=1, le=_MOST_VERSIONS)] = 10,
    ) -> Answer:
        """The published versions of an extract, the newest first: rows, bytes, run, changes."""
        return _ask(asker, "versions", extract, partition=partition, limit=limit)

    def diff(
        extract: Extract,
        old: Annotated[str, Field(description="A VersionId, or `previous`.")] = "previous",
        new: Annotated[str, Field(description="A VersionId, or `current`.")] = "current",
        partition: Partition = None,
        key: Annotated[
            str | None, Field(description="Columns that identify a row: order_id,line_number.")
        ] = None,
    ) -> Answer:
        """How two versions differ: columns, rows, keys, SQL. It reads both of them."""
        return _ask(asker, "diff", extract, old, new, partition=partition, key=key)

    def trace(
        uri: Annotated[str, Field(description="s3://bucket/key, with ?versionId=… or without.")],
    ) -> Answer:
        """Where a published object comes from: its SQL, query, run, schema and checks."""
        return _ask(asker, "trace", uri)

    return [show, versions, diff, trace]


def _of_files(asker: Asker) -> list[Tool]:
    def check(path: File = ".") -> Answer:
        """Check headers and SQL of a file or a folder: each problem with line, column and hint."""
        return _ask(asker, "check", _inside(asker, path))

    def plan(
        folder: File = ".",
        with_sql: Annotated[bool, Field(description="With the changed lines of SQL.")] = False,
    ) -> Answer:
        """What a push of a folder would change, and for whom. Nothing is pushed."""
        return _ask(asker, "plan", _inside(asker, folder), diff=with_sql)

    def preview(
        file: File,
        rows: Annotated[int, Field(ge=1, le=_MOST_ROWS)] = 10,
        partition: Partition = None,
    ) -> Answer:
        """The first rows of a SQL file. It runs the query on the warehouse, at most a minute."""
        return _ask(
            asker, "preview", _inside(asker, file), rows=rows, partition=partition, timeout="1m"
        )

    return [check, plan, preview]
