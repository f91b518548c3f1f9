"""The header key `csv`: how a CSV file is written, for applications that do not read RFC 4180."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from extract_project.expected import Expected
from extract_project.formats.csv.charsets import (
    ENCODINGS,
    UNICODE,
    canonical,
    missing_character,
)
from extract_project.formats.csv.patterns import ISO, Pattern, parse_pattern
from extract_project.formats.protocol import FormatOptions

ShortText = Annotated[str, StringConstraints(max_length=40)]
_WORDS = {"tab": "\t", r"\t": "\t"}
_IN_NUMBERS_AND_TIMES = "+-.:"
_NOT_BETWEEN = '"\r\n\0\ufeff'
_BACKSLASH_N = re.compile(r"\\[A-Za-z]")


def _read_delimiter(value: Any) -> Any:
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _read_encoding(value: Any) -> Any:
    return canonical(value) if isinstance(value, str) else value


if TYPE_CHECKING:
    Encoding = str
else:  # one of those in the list, which no type checker can read
    Encoding = Literal[ENCODINGS]


class Dialect(FormatOptions):
    """How the CSV file is written. By default: as in RFC 4180, in UTF-8."""

    delimiter: Annotated[
        str,
        BeforeValidator(_read_delimiter),
        StringConstraints(min_length=1, max_length=1),
        WithJsonSchema({"type": "string", "pattern": r"^(.|tab|\\t)$"}),
        Expected("one character in quotes, as in ';', or the word tab"),
    ] = Field(
        ",",
        description="The character between values, as in `;`, or the word `tab`.",
        examples=[";", "tab", "|"],
    )
    header: Annotated[bool, Expected("true or false")] = Field(
        True, description="Whether the first line has the names of the columns."
    )
    quote: Literal["needed", "all", "none"] = Field(
        "needed",
        description='Which values stand between `"`: those that need it, `all` but NULL, or '
        "`none`. With `none`, a value that needs it is refused, unless `escape: backslash`.",
    )
    escape: Literal["double", "backslash"] = Field(
        "double",
        description='A `"` within quotes is `""`, or `\\"`; with `backslash`, `\\` is `\\\\`.',
    )
    null: Annotated[ShortText, Expected("a short text in quotes, as in '\\N' or 'NULL'")] = Field(
        "",
        description="How NULL is written, without quotes. A text that is equal to it is quoted; "
        "with `quote: none` it is refused.",
        examples=["\\N", "NULL"],
    )
    encoding: Annotated[Encoding, BeforeValidator(_read_encoding)] = Field(
        "utf-8", description="The file's encoding. A character that it does not have is refused."
    )
    bom: Annotated[bool, Expected("true or false")] = Field(
        False, description="Whether the file begins with a byte order mark, as Excel wants it."
    )
    newline: Literal["crlf", "lf"] = Field("crlf", description="What ends a line.")
    date: Annotated[ShortText, Expected("iso, or a pattern in quotes, as in '%d.%m.%Y'")] = Field(
        ISO,
        description="Dates: `iso`, or a pattern of `%Y`, `%m` and `%d`, as in `%d.%m.%Y`.",
        examples=[ISO, "%d.%m.%Y"],
    )
    timestamp: Annotated[
        ShortText, Expected("iso, or a pattern in quotes, as in '%Y-%m-%d %H:%M:%S'")
    ] = Field(
        ISO,
        description="Timestamps: `iso`, or a pattern that also has `%H`, `%M`, `%S` and a fraction "
        "of `%3f`, `%6f` (or `%f`) or `%9f` digits. A value that has more than the pattern shows "
        "is refused. Those with a time zone are in UTC.",
        examples=[ISO, "%Y-%m-%d %H:%M:%S"],
    )
    decimal: Literal[".", ","] = Field(
        ".", description="The decimal point of numbers. JSON keeps its own."
    )

    @property
    def date_pattern(self) -> Pattern | None:
        """None for ISO 8601."""
        return None if self.date == ISO else parse_pattern(self.date, is_date=True)

    @property
    def timestamp_pattern(self) -> Pattern | None:
        """None for ISO 8601."""
        return None if self.timestamp == ISO else parse_pattern(self.timestamp, is_date=False)

    @property
    def end_of_line(self) -> str:
        return "\r\n" if self.newline == "crlf" else "\n"

    @property
    def has_backslashes(self) -> bool:
        """Whether a backslash is an escape."""
        return self.escape == "backslash"

    def contradictions(self) -> Iterator[tuple[str, str]]:
        yield from self._of_the_delimiter()
        yield from self._of_null()
        if self.bom and self.encoding not in UNICODE:
            yield "bom", f"{self.encoding} has no byte order mark: use {' or '.join(UNICODE)}"
        if self.decimal == self.delimiter == "," and self.quote != "all":
            yield (
                "decimal",
                "the same character is the delimiter: write delimiter: ';', or quote: all",
            )
        for key in ("date", "timestamp"):
            yield from ((key, fault) for fault in self._of_a_pattern(key))

    def _of_the_delimiter(self) -> Iterator[tuple[str, str]]:
        given = self.delimiter
        if given in '"\\\r\n\0' or given.isalnum() or given in _IN_NUMBERS_AND_TIMES:
            why = "occurs in numbers and times" if given in _IN_NUMBERS_AND_TIMES else "is no mark"
            yield "delimiter", f"{given!r} {why}: expected another character, as in ';', '|' or tab"
        elif not given.isascii():
            yield "delimiter", f"{given!r} is not ASCII: expected a character as ';', '|' or tab"

    def _of_null(self) -> Iterator[tuple[str, str]]:
        text = self.null
        lacks = missing_character(text, self.encoding)
        if lacks:
            yield "null", f"{self.encoding} has no {lacks}: write another text"
        elif any(each in text for each in f"{self.delimiter}{_NOT_BETWEEN}"):
            yield "null", f"{text!r} has the delimiter, a quote or a line end: write another text"
        elif re.search("[0-9]", text) or text.lower() in ("true", "false", "nan", "inf", "-inf"):
            yield "null", f"{text!r} is a value, too: expected a text as '\\N' or 'NULL'"
        elif self.has_backslashes and "\\" in text and not _BACKSLASH_N.fullmatch(text):
            yield (
                "null",
                f"{text!r} has a backslash, which is the escape: expected '\\N', or a text "
                f"without one",
            )

    def _of_a_pattern(self, key: str) -> Iterator[str]:
        try:
            pattern = self.date_pattern if key == "date" else self.timestamp_pattern
        except ValueError as error:
            yield str(error)
            return
        literals = pattern.literals if pattern else ""
        lacks = missing_character(literals, self.encoding)
        if lacks:
            yield f"{self.encoding} has no {lacks}: write another pattern"
        if any(each in literals for each in f"\\{_NOT_BETWEEN}"):
            yield "a pattern has no quotes, backslashes or line ends: leave them out"
        if self.delimiter in literals and self.quote != "all":
            yield f"the delimiter {self.delimiter!r} stands in it: write another, or quote: all"


RFC_4180 = Dialect()
