"""Shared by all commands: the consoles, common options, and errors as one plain message.

Exit codes: 0 done; 1 a check failed (a file is invalid, a run failed); 2 the command failed;
130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TextIO

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from extract_project.errors import ExtractError
from extract_project.units import parse_duration, parse_moment
from extract_project.visible import lines

OK, NO, CANNOT, INTERRUPTED = 0, 1, 2, 130

_PIPED_WIDTH = 220
"""Columns assumed for a pipe, which has no width: enough to cut no VersionId."""


class Terminal(Console):
    """A console that is safe for foreign text: strings are not markup, and control characters
    are escaped.

    Coloured text is a `Text`, as `marked` makes it.
    """

    def __init__(self, stream: TextIO | None, *, stderr: bool = False) -> None:
        """`stream` is None where the process was started with it closed."""
        width = None if stream is not None and stream.isatty() else _PIPED_WIDTH
        super().__init__(
            stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True, width=width
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape control characters. Everything that is printed passes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(lines(segment.text), segment.style)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A spinner. Its text is made a `Text`, since a string would be read as markup."""
        literal = Text(status) if isinstance(status, str) else status
        return super().status(literal, **options)


out = Terminal(sys.stdout)
err = Terminal(sys.stderr, stderr=True)

GOOD, BAD = Text("✓", "green"), Text("✗", "red")


def marked(mark: Text, text: str, dim: str = "") -> Text:
    """A line that begins with a mark, and ends with less important text in dim."""
    line = Text.assemble(mark, " ", text)
    return line.append(f" {dim}", "dim") if dim else line


def table(*columns: str | Text) -> Table:
    """A table whose cells are folded on a narrow terminal, never cut."""
    built = Table(box=None, pad_edge=False)
    for column in columns:
        built.add_column(column, overflow="fold")
    return built


class Description(ProgressColumn):
    """The description of a task, without markup, behind its mark."""

    def render(self, task: Task) -> Text:
        return Text.assemble(task.fields.get("mark", ""), task.description)


def transfer_columns() -> tuple[ProgressColumn, ...]:
    """The columns of a progress bar."""
    return Description(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()


def explains_itself(command: Callable[..., None]) -> Callable[..., None]:
    """Print expected errors as one message and exit with 2; let unexpected ones pass, as bugs.

    With --json, standard output is `{"error": "…"}` instead of an answer.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except ExtractError as error:
            _tell(str(error), kwargs)
            raise SystemExit(CANNOT) from None
        except OSError as error:
            if error.filename is None:
                raise
            _tell(f"{error.filename}: {error.strerror}", kwargs)
            raise SystemExit(CANNOT) from None

    return wrapped


def _tell(message: str, options: Mapping[str, object]) -> None:
    err.print(Text.assemble(("error", "red"), f": {message}"))
    if options.get("as_json"):
        print_error(message)


def print_error(message: str) -> None:
    """What standard output has with --json where there is no answer."""
    click.echo(json.dumps({"error": message}, indent=2))


def duration(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Validate an option whose value is a duration."""
    try:
        if value is not None:
            parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


since_option = click.option(
    "--since",
    callback=duration,
    help="Only attempts that began within this time, as in 30m, 6h, 2d.",
)


def moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Validate an option whose value is a time, or how long ago that is."""
    try:
        return None if value is None else parse_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


as_of_option = click.option(
    "--as-of",
    callback=moment,
    help="The version current at a time, 2026-01-31T06:00 (UTC), or a duration ago, 24h.",
)
partition_option = click.option(
    "--partition", help="The partition, as in 2026-01-01, of a partitioned extract."
)
to_option = click.option(
    "--to", help="The destination, of an extract that has several; default: the first."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
