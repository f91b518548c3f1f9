"""Cut SQL text into tokens, by the rules of each dialect.

Tokens are used where a parser's tree does not say enough, or there is no parser: to find
`:name`s, the end of the statement, and called names. Comments and white space are left out. Every
token keeps its position in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from extract_project.problem import Refused, position, refuse

Kind = Literal["word", "name", "string", "number", "parameter", "sign"]
"""A `name` is a quoted identifier; a `parameter` is the engine's own form, such as `$1`."""


class Token(NamedTuple):
    """A piece of the statement: `text` is `source[start:end]`, quotes included."""

    kind: Kind
    text: str
    start: int
    end: int
    lower: str
    """A word in lower case; empty for any other token."""


@dataclass(frozen=True)
class Lexicon:
    """The token rules of a dialect."""

    form: str
    """Of one token, as `token_form` makes it."""
    nested_comments: bool
    signs_before_comment: str = ""
    """Tokens that begin with one of these must not touch a comment: it is unknown how the engine
    reads the two together, and it might run what we take for a comment.
    """
    line_ends: re.Pattern[str] | None = None
    """Characters that may or may not end a `--` comment."""
    quotes: str = "'\"$"
    """What opens a string or a quoted name."""
    name_quote: str = '"'
    """What a name is quoted with. Where that is a backquote, double quotes make a string, and a
    column would be one text in all rows.
    """

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first used: a process needs one dialect of all, or none."""
        return re.compile(self.form, re.DOTALL)

    acting_comments: re.Pattern[str] | None = None
    """Comments that the engine does not skip: they hold SQL, or change a setting."""


_DIGITS = r"(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?\w*"
_SIGNS = r"::|:=|=>|->>|->|<=|>=|<>|!=|\|\||."
_OPERATORS = r"(?:(?!--|/\*)[-+*/<>=~!@#%^&|`?])+"  # as long as they go, in Postgres
_E_STRING = (
    r"[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'(?:[ \t]*[\r\n]\s*'[^'\\]*(?:(?:''|\\.)[^'\\]*)*')*"
)


def token_form(
    *,
    space: str,
    comment: str,
    string: str,
    word: str,
    parameter: str,
    name: str = r'(?:[uU]&)?"[^"]*(?:""[^"]*)*"',
    signs: str = _SIGNS,
) -> str:
    return (
        rf"{space}*(?:(?P<comment>{comment}|/\*)"
        rf"|(?P<string>{string})"
        rf"|(?P<name>{name})"
        rf"|(?P<number>{_DIGITS})|(?P<word>{word})|(?P<parameter>{parameter})"
        rf"|(?P<sign>{signs})|(?P<end>\Z))"
    )


_LETTER = r"A-Za-z_\x80-\U0010ffff"  # as Postgres reads names: any character that is not ASCII
_QUOTED = r"'[^']*(?:''[^']*)*'"
_DOLLARS = rf"(?P<tag>\$(?:[{_LETTER}][0-9{_LETTER}]*)?\$).*?(?P=tag)"

POSTGRES = Lexicon(
    token_form(
        space=r"[ \t\r\n\f\v]",
        comment=r"--[^\r\n]*",
        string=rf"{_E_STRING}|(?:[bBxXnN]|[uU]&)?{_QUOTED}|{_DOLLARS}",
        word=rf"[{_LETTER}][0-9${_LETTER}]*",
        parameter=r"\$\d+",
        signs=f"{_OPERATORS}|{_SIGNS}",
    ),
    nested_comments=True,
)
REDSHIFT = Lexicon(
    token_form(
        space=r"[ \t\r\n\f\v]",
        comment=r"--[^\r\n]*",
        string=rf"(?:[bBxXnNeE])?'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|{_DOLLARS}",
        word=rf"[{_LETTER}#][0-9${_LETTER}#]*",  # `#stage` is a temporary table
        parameter=r"\$\d+",
        name=r'"[^"]*(?:""[^"]*)*"',
        signs=f"{_OPERATORS}|{_SIGNS}",
    ),
    nested_comments=True,
)
DUCKDB = Lexicon(
    token_form(
        space=r"\s",
        comment=r"--[^\r\n]*",
        string=rf"{_E_STRING}|[bBxX]?{_QUOTED}|{_DOLLARS}",
        word=r"[^\W\d][\w$]*",
        parameter=r"\$\w+|\?\d*",
    ),
    nested_comments=True,
)
SNOWFLAKE = Lexicon(
    token_form(
        space=r"\s",
        comment=r"--[^\n]*|//[^\n]*",
        string=r"[xX]?'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|\$\$.*?\$\$",
        word=r"[^\W\d][\w$]*",
        parameter=r"\?",
    ),
    nested_comments=False,
    signs_before_comment="@/",
    line_ends=re.compile("\r(?!\n|\\Z)|[\v\f\x85\u2028\u2029]"),
)

DATABRICKS = Lexicon(
    token_form(
        space=r"\s",
        comment=r"--(?:\\\n|[^\r\n])*",  # a backslash at the end of a line continues it
        string=r"[rR](?:'[^']*'|\"[^\"]*\")"
        r"|[xX]?(?:'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|\"[^\"\\]*(?:(?:\"\"|\\.)[^\"\\]*)*\")",
        name=r"`[^`]*(?:``[^`]*)*`",
        word=r"[^\W\d]\w*",
        parameter=r"\?",
    ),
    nested_comments=True,
    quotes="'\"`",
    name_quote="`",
)

_RAW = r"(?:[rR][bB]?|[bB][rR]?)?"
BIGQUERY = Lexicon(
    token_form(
        space=r"\s",
        comment=r"(?:--|#)[^\r\n]*",
        string=rf"{_RAW}(?:'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\""
        r"|'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\")",
        name=r"`[^`\\]*(?:\\.[^`\\]*)*`",
        word=r"(?:@@)?[^\W\d]\w*",
        parameter=r"@\w+|\?",
    ),
    nested_comments=False,
    quotes="'\"`",
    name_quote="`",
)

MYSQL = Lexicon(
    token_form(
        space=r"[ \t\r\n\f\v]",
        comment=r"--(?=[\x00-\x20\x7f]|\Z)[^\n]*|#[^\n]*",  # `1--1` is a sum
        string=r"[nNxXbB]?'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|\"[^\"\\]*(?:(?:\"\"|\\.)[^\"\\]*)*\"",
        name=r"`[^`]*(?:``[^`]*)*`",
        word=rf"[{_LETTER}][0-9${_LETTER}]*",
        parameter=r"\?",
        signs=rf"<=>|&&|{_SIGNS}",
    ),
    nested_comments=False,
    quotes="'\"`",
    name_quote="`",
    acting_comments=re.compile(r"/\*M?!|/\*\+(?:(?!\*/).)*\bset_var\b", re.DOTALL | re.IGNORECASE),
)
"""For a session without ANSI_QUOTES and NO_BACKSLASH_ESCAPES."""

CLICKHOUSE = Lexicon(
    token_form(
        space=r"\s",
        comment=r"--[^\n]*|#[ !][^\n]*",
        string=rf"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|{_DOLLARS}",
        name=r"`[^`\\]*(?:(?:``|\\.)[^`\\]*)*`|\"[^\"\\]*(?:(?:\"\"|\\.)[^\"\\]*)*\"",
        word=r"(?:@@)?[^\W\d][\w$]*",
        parameter=r"\{\s*\w+\s*:[^{}]*\}",
        signs=rf"<=>|==|{_SIGNS}",
    ),
    nested_comments=False,
    quotes="'\"`$",
)

_OPENERS = {"'": "string", '"': "quoted name", "$": "string between dollars", "`": "quoted name"}


def tokenize(text: str, lexicon: Lexicon) -> list[Token]:
    """All tokens of the text; raises Refused if a string, name or comment is not closed."""
    return list(_tokens(text, lexicon))


def _tokens(text: str, lexicon: Lexicon) -> Iterator[Token]:
    match = lexicon.pattern.match
    end = 0
    last = ""
    while True:
        found = match(text, end)
        assert found is not None  # a sign is any character
        kind = found.lastgroup or "end"
        if kind == "end":
            return
        if kind == "tag":
            kind = "string"
        start, end = found.span(kind)
        piece = text[start:end]
        if kind == "comment":
            if piece == "/*":
                _require_no_effect(text, start, lexicon)
                end = _comment_end(text, start, lexicon.nested_comments)
            if lexicon.signs_before_comment:
                _require_plain(text, start, end, last, lexicon)
        else:
            if piece in lexicon.quotes and (piece != "$" or text.startswith("$$", start)):
                raise refuse(
                    *position(text, start), f"the {_OPENERS[piece]} that begins here is not closed"
                )
            yield Token(kind, piece, start, end, piece.lower() if kind == "word" else "")  # type: ignore[arg-type]
        if lexicon.signs_before_comment:
            last = _path(last if found.start() == start else "", kind, piece)


def comments_at(text: str, start: int, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Start and end of each comment from `start` on, up to the next token; never raises."""
    while True:
        found = lexicon.pattern.match(text, start)
        if found is None or found.lastgroup != "comment":
            return
        start, end = found.span("comment")
        if found["comment"] == "/*":
            try:
                end = _comment_end(text, start, lexicon.nested_comments)
            except Refused:
                return
        yield start, end
        start = end


def _require_no_effect(text: str, start: int, lexicon: Lexicon) -> None:
    """Raise Refused for a comment that the engine does not skip."""
    if lexicon.acting_comments and lexicon.acting_comments.match(text, start):
        raise refuse(
            *position(text, start),
            f"the engine does not skip this comment, {text[start : start + 20]!r}: it runs what is "
            f"in it; write it without the comment, or remove it",
        )


def _require_plain(text: str, start: int, end: int, last: str, lexicon: Lexicon) -> None:
    """Raise Refused for a comment that the engine may take for something else."""
    if last and last[0] in lexicon.signs_before_comment:
        raise refuse(
            *position(text, start),
            f"a comment touches {last!r}: put a space between them, so that it is certainly read "
            f"as a comment",
        )
    odd = lexicon.line_ends and lexicon.line_ends.search(text, start, end)
    if odd and not text.startswith("/*", start):
        raise refuse(
            *position(text, odd.start()),
            f"a line of this comment ends with {odd.group()!r}: end it with a line feed",
        )


def _path(before: str, kind: str | None, piece: str) -> str:
    """The text that a comment must not touch: a sign, or the path of a stage, `@stage/folder`."""
    if before.startswith("@") and kind in ("word", "number", "sign", "name", "string"):
        return before + piece
    return piece if kind == "sign" else ""


def _comment_end(text: str, start: int, nested: bool) -> int:
    depth, at = 1, start + 2
    while depth:
        end = text.find("*/", at)
        if end < 0:
            raise refuse(*position(text, start), "the comment that begins here is not closed")
        inner = text.find("/*", at, end) if nested else -1
        depth, at = (depth + 1, inner + 2) if inner >= 0 else (depth - 1, end + 2)
    return at


_ESCAPED = re.compile(r"\\(?:\+(0[0-9A-Fa-f]{5}|10[0-9A-Fa-f]{4})|([0-9A-Fa-f]{4})|(\\))")


def name_of(token: Token) -> str:
    """The name that a token stands for: a word in lower case, a quoted name unchanged."""
    if token.kind == "word":
        return token.text.lower()
    if token.text[0] == "`":
        return token.text[1:-1].replace("``", "`")
    name = token.text[token.text.index('"') + 1 : -1].replace('""', '"')
    if token.text[0] not in "uU":
        return name
    return _ESCAPED.sub(lambda m: m[3] or chr(int(m[1] or m[2], 16)), name)
