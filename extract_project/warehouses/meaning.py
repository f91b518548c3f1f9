"""What a warehouse's answer means to whoever reads the failure report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from extract_project.errors import Cause, WarehouseError


@dataclass(frozen=True)
class Meaning:
    """The meaning of a code: cause, whether it is transient, and a hint."""

    cause: Cause = Cause.SQL
    transient: bool = False
    hint: str = ""

    def told(self, message: str) -> str:
        """The message, with the hint behind it."""
        return f"{message}: {self.hint}" if self.hint else message

    def error(
        self, message: str, line: int | None = None, column: int | None = None
    ) -> WarehouseError:
        """The error of a message with this meaning, at a place in the file."""
        return WarehouseError(
            self.told(message),
            cause=self.cause,
            line=line,
            column=column,
            transient=self.transient,
        )


def incomplete(said: str) -> WarehouseError:
    """The transient error for a result of which something is missing, or too much."""
    return WarehouseError(f"{said}: run it again", cause=Cause.NETWORK, transient=True)


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Read an answer of a service, `what` it is; one of another form than its reference says raises
    the transient error."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise incomplete(f"{what} is not of the form that was expected ({reason})") from error
