"""What every command shares: two consoles, exit codes, and errors as one plain message.

Exit codes: 0 done; 1 the answer is no (a file is invalid, a run failed); 2 it could not be done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TextIO

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from extract_project.errors import ExtractError
from extract_project.units import parse_duration, parse_moment

OK, NO, CANNOT = 0, 1, 2

_PIPED_WIDTH = 220
"""A pipe has no width: wide enough that no VersionId is cut."""


def _console(stream: TextIO, *, stderr: bool = False) -> Console:
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


out = _console(sys.stdout)
err = _console(sys.stderr, stderr=True)


def table(*columns: str) -> Table:
    """A table whose cells are folded on a narrow terminal, never cut."""
    built = Table(box=None, pad_edge=False)
    for column in columns:
        built.add_column(column, overflow="fold")
    return built


def explains_itself(command: Callable[..., None]) -> Callable[..., None]:
    """Expected errors as their message and exit code 2; anything else is a fault of ours."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except ExtractError as error:
            err.print(f"[red]error[/]: {error}", markup=True)
            raise SystemExit(CANNOT) from None
        except (ClientError, BotoCoreError) as error:
            err.print(f"[red]error[/]: S3: {error}")
            raise SystemExit(CANNOT) from None

    return wrapped


def duration(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The value of an option, once it is known to be a duration."""
    try:
        if value is not None:
            parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


since_option = click.option(
    "--since", callback=duration, help="Only attempts of this time, as in 30m, 6h, 2d."
)


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else parse_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


as_of_option = click.option(
    "--as-of",
    callback=_moment,
    help="What was current then: a time as 2026-01-31T06:00 (UTC), or how long ago, as 24h.",
)
partition_option = click.option(
    "--partition", help="Which partition, where the extract has any, as 2026-01-01."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
