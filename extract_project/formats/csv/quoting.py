"""Decide which values of a CSV file are quoted, and escape special characters within values."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.formats.csv.dialect import Dialect

_ALWAYS = r"^$|^\s|\s$|^\\\.$"
"""The value `\\.` is quoted, as Postgres quotes it: alone on a line it ends the data for psql
before 18."""


class Misquoted(Exception):
    """The value at `index` would be read back as another value."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class Quoting:
    """The rules of one dialect, for values that may be any text."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        delimiter = "," if dialect.delimiter == "," else _exactly(dialect.delimiter)
        special = f'{delimiter}"\\r\\n'
        if dialect.has_backslashes:
            special = rf"{special}\\"
        self._special = f"[{special}]"
        rules = [self._special, _ALWAYS]
        if dialect.null:
            rules.append(f"^{_exactly(dialect.null)}$")
        if not dialect.header:
            rules.append(r"^\x{FEFF}")  # at the start of a file, it would be its byte order mark
        self._needs_quotes = "|".join(rules)

    def quoted(self, text: pa.StringArray) -> pa.StringArray:
        """Each value as it is written to the file, NULL as NULL; raises Misquoted."""
        if self._dialect.quote == "none":
            return self._bare(text)
        if self._dialect.quote == "all":
            return self.in_quotes(self._escaped(text))
        needs = pc.match_substring_regex(text, self._needs_quotes)
        if not pc.any(needs).as_py():
            return text
        return pc.if_else(needs, self.in_quotes(self._escaped(text)), text)

    def in_quotes(self, text: pa.StringArray) -> pa.StringArray:
        """Put quotes around values that contain no special characters."""
        return pc.binary_join_element_wise('"', text, '"', "")

    def _escaped(self, text: pa.StringArray) -> pa.StringArray:
        if self._dialect.has_backslashes:
            return pc.replace_substring_regex(text, r'(["\\])', r"\\\1")
        return pc.replace_substring(text, '"', '""')

    def _bare(self, text: pa.StringArray) -> pa.StringArray:
        if self._dialect.has_backslashes:
            text = pc.replace_substring_regex(text, f"({self._special})", r"\\\1")
        else:
            _refuse_any(
                pc.match_substring_regex(text, self._special),
                "it has a delimiter, a quote or a line end, and 'quote: none' has no place for "
                "them: write 'quote: needed' or 'escape: backslash', or replace() it in the SQL",
            )
        _refuse_any(
            pc.equal(text, self._dialect.null),
            "without quotes it is the text of NULL: write 'null' or 'quote' otherwise, or "
            "nullif() it in the SQL",
        )
        if not self._dialect.header:
            _refuse_any(
                pc.match_substring_regex(text, r"^\x{FEFF}"),
                "at the start of a file, it is a byte order mark: replace() it in the SQL",
            )
        return text


def _refuse_any(bad: pa.BooleanArray, reason: str) -> None:
    index = pc.index(bad, True).as_py()
    if index >= 0:
        raise Misquoted(index, reason)


def _exactly(text: str) -> str:
    """A regular expression that matches this text alone."""
    return "".join(rf"\x{{{ord(each):X}}}" for each in text)
