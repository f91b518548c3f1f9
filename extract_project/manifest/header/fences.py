"""Find the header of a SQL file among its comments, in one of two forms.

It is a block comment from a line `/*---` to a line `---*/`, or line comments from a line `-- ---`
to the next such line. Ordinary comments may come before it. A comment that looks like a header but
is in another place, or has other fences, is refused: nobody would notice that it is ignored.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from extract_project.problem import refuse

OPEN, CLOSE, LINE_FENCE = "/*---", "---*/", "-- ---"
_MOST_CHARACTERS = 1 << 18
_CLOSENESS = 0.8
_DEEPEST = 50
_MOST_LOOKED_AT = 100

_LEXEME = re.compile(
    r"(?P<line>--[^\n]*)|(?P<block>/\*)|'[^']*'|\"[^\"]*\"|(?P<dollar>\$\w{0,63}\$)"
)
_OTHER_LINES = re.compile(r"\s*(//[^\n]*(?:\s*//(?!\s*-{2,4}\s*\n)[^\n]*)*)")
"""Snowflake's `//` comments, before what looks like a fence."""
_UNSEEN = "\ufeff\u200b\u2060"
"""Invisible characters before a header, from an editor or a paste; the guard reports them."""
_KEY = re.compile(r"[\s{]*[\"']?([A-Za-z_]+)[\"']?\s*:(?:\s|$)")
_ALMOST_OPEN = re.compile(r"/\*+\s*-{2,4}(?!-)")
_ALMOST_FENCE = re.compile(r"(?:--|//)\s*-{2,4}")
_STEP = re.compile(r"\*/([0-9]+)")
_FIELDS = (("0-59", "minutes"), ("0-23", "hours"), ("1-31", ""), ("1-12", ""), ("0-6", ""))
"""For each field of a cron: the range of `*`, and the unit in words."""
_ALMOST_CLOSE = re.compile(r"-*\s*\*/")


@dataclass(frozen=True)
class Fenced:
    """The YAML of a header, and its position in the file."""

    source: str
    first_line: int
    """The first line of the YAML, from 1."""
    indents: tuple[int, ...]
    """The number of characters before the YAML on each of its lines."""
    nested: tuple[int, int] | None = None
    """The first `/*` inside a block comment: dialects that nest comments then see no end."""
    name: str = "the header"
    """Its name in errors."""

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column in the file (from 1) for those in the YAML (from 0)."""
        indent = self.indents[line] if line < len(self.indents) else 0
        return self.first_line + line, indent + column + 1


@dataclass(frozen=True)
class _Comment:
    """A block comment, or line comments on consecutive lines."""

    start: int
    lines: tuple[str, ...]
    is_block: bool
    before_sql: bool


def find_header(text: str, keys: Collection[str]) -> Fenced | None:
    """The header of a SQL file, or None if it has none.

    `keys` are the keys of a header: a comment with one of them that looks like a header is meant as
    one. Raises Refused with the line of a header that is not closed, contains `*/`, or is in the
    wrong place or form.
    """
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    found: Fenced | None = None
    end = 0
    for comment in _comments(text):
        if comment.start < end:
            continue
        line = bisect_right(starts, comment.start)
        opened = comment.lines[0].strip() == (OPEN if comment.is_block else LINE_FENCE)
        if opened and comment.before_sql and found is None:
            found, count = (
                _read_block(lines, line) if comment.is_block else _read_lines(lines, line, keys)
            )
            end = starts[line - 1 + count]
        elif _means_header(comment, keys):
            column = comment.start - starts[line - 1] + 1
            raise refuse(line, column, _misplaced(comment, found))
    return found


def _read_block(lines: Sequence[str], opening: int) -> tuple[Fenced, int]:
    """The header in a block comment, and its number of lines."""
    body: list[str] = []
    nested = None
    for number in range(opening + 1, len(lines) + 1):
        line = lines[number - 1]
        content = line.removesuffix("\r")
        if content.lstrip().startswith(CLOSE):
            return _fenced(body, opening, [0] * len(body), nested), len(body) + 2
        at = content.find("*/")
        if at >= 0 and _ALMOST_CLOSE.match(content.strip()):
            break
        if content.rstrip().endswith(CLOSE):
            place = (number, content.rindex(CLOSE) + 1)
            raise refuse(*place, f"expected {CLOSE!r} on a line of its own")
        if at >= 0:
            raise refuse(number, at + 1, _ended(content, at))
        if nested is None and "/*" in content:
            nested = (number, content.index("/*") + 1)
        body.append(content)
    raise refuse(opening, 1, f"the header is not closed: expected {CLOSE!r} after it")


def _read_lines(
    lines: Sequence[str], opening: int, keys: Collection[str]
) -> tuple[Fenced | None, int]:
    """The header in line comments, and its number of lines.

    Lines that begin with no key are not a header: the fences are decoration, or underline a title.
    """
    body: list[str] = []
    indents = []
    closed, odd = False, 0
    for number in range(opening + 1, len(lines) + 1):
        line = lines[number - 1]
        content = line.strip()
        if content == LINE_FENCE:
            closed = True
            break
        if not content.startswith("--"):
            break
        indents.append(line.index("--") + 3)
        body.append(line.removesuffix("\r")[indents[-1] :])
        if content != "--" and not content.startswith("-- "):
            odd = odd or number
    if not _reads_as_header(body, keys):
        return None, 1 + len(body) + closed
    if not closed:
        raise refuse(opening, 1, f"the header is not closed: expected {LINE_FENCE!r} after it")
    if odd:
        raise refuse(odd, 1, "expected '-- ' at the start of this line of the header")
    return _fenced(body, opening, indents, None), len(body) + 2


def _fenced(
    body: Sequence[str], opening: int, indents: Sequence[int], nested: tuple[int, int] | None
) -> Fenced:
    source = "\n".join(body)
    if len(source) > _MOST_CHARACTERS:
        message = f"the header has {len(source):,} characters: expected at most"
        raise refuse(opening, 1, f"{message} {_MOST_CHARACTERS:,}")
    return Fenced(source, opening + 1, tuple(indents), nested)


def _ended(content: str, at: int) -> str:
    """The advice for a `*/` within the header, which is usually part of a cron."""
    step = _STEP.match(content, at)
    field = len(re.split(r"[\"':\[]", content[:at])[-1].split())
    way = "remove it"
    if step and field < len(_FIELDS):
        whole, unit = _FIELDS[field]
        words = f", or in words, as in 'every {step[1]} {unit}'" if unit else ""
        way = f"write '{whole}/{step[1]}'{words}"
    return (
        f"SQL ends the comment, and with it the header, at this '*/': {way}; or write the header "
        f"in lines that begin with '-- ', between two lines {LINE_FENCE!r}"
    )


def _misplaced(comment: _Comment, found: Fenced | None) -> str:
    if found is not None:
        return (
            f"this looks like a second header: the first begins on line "
            f"{found.first_line - 1}; put the keys there"
        )
    if not comment.before_sql:
        return "this looks like a header, but is after the start of the SQL: move it to the top"
    return (
        f"this looks like a header: expected it from a line {OPEN!r}, with nothing else on it, to "
        f"a line {CLOSE!r}; or from a line {LINE_FENCE!r} to another"
    )


def _means_header(comment: _Comment, keys: Collection[str]) -> bool:
    """Whether a comment looks like a header and has one of its keys, unlike decoration."""
    if comment.is_block:
        almost = _ALMOST_OPEN.match(comment.lines[0])
        if almost is None:
            return False
        return _reads_as_header([comment.lines[0][almost.end() :], *comment.lines[1:]], keys)
    fences = [i for i, line in enumerate(comment.lines) if _ALMOST_FENCE.fullmatch(line.strip())]
    return any(
        _reads_as_header([line[2:] for line in comment.lines[i + 1 : i + 2]], keys) for i in fences
    )


def _reads_as_header(lines: Sequence[str], keys: Collection[str]) -> bool:
    """Whether it begins with `word: …`, and such a word is a key of a header or similar to one."""
    content = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not content or not _KEY.match(content[0]):
        return False
    found = (_KEY.match(line) for line in content)
    words = {each[1].lower() for each in islice(filter(None, found), _MOST_LOOKED_AT)}
    return any(
        word in keys or difflib.get_close_matches(word, keys, 1, _CLOSENESS) for word in words
    )


def _comments(text: str) -> Iterator[_Comment]:
    """The comments of a text, in any dialect, except in strings.

    Line comments on consecutive lines are one comment, but each fence starts a new one.
    """
    at, start, before_sql = 0, 0, True
    run: list[str] = []
    while True:
        other = _OTHER_LINES.match(text, at) if before_sql else None
        if other:
            lines = [line.strip() for line in other[1].split("\n")]
            yield _Comment(other.start(1), tuple(lines), False, True)
            at = other.end()
            continue
        found = _LEXEME.search(text, at)
        between = text[at : found.start() if found else len(text)]
        alone = found is not None and bool(found["line"]) and _is_alone(text, found.start())
        goes_on = alone and between.count("\n") == 1
        if run and (not goes_on or between.strip() or (found and found[0].strip() == LINE_FENCE)):
            yield _Comment(start, tuple(run), False, before_sql)
            run = []
        if found is None:
            return
        if between.strip().strip(_UNSEEN) or not (found["line"] or found["block"]):
            before_sql = False
        at = found.end()
        if found["block"]:
            at = _block_end(text, found.start())
            block = text[found.start() : at].split("\n")
            yield _Comment(found.start(), tuple(block), True, before_sql)
        elif found["dollar"]:
            close = text.find(found["dollar"], at)
            at = close + len(found["dollar"]) if close >= 0 else at
        elif alone:
            start = start if run else found.start()
            run.append(found["line"])


def _block_end(text: str, start: int) -> int:
    """The end of a block comment with nested ones, or else its first `*/`."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
        if depth > _DEEPEST:
            break
    first = text.find("*/", start + 2)
    return first + 2 if first >= 0 else len(text)


def _is_alone(text: str, at: int) -> bool:
    """Whether nothing comes before it on its line."""
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()
