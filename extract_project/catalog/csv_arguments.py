"""Arguments with which each reader reads the dialect of a CSV file; None if it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from extract_project.formats.csv.charsets import codec
from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.csv.patterns import ISO
from extract_project.sql_quoting import literal

_DUCKDB_ENCODINGS = {"utf-8": None, "ascii": None, "utf-16le": "utf-16", "iso-8859-1": "latin-1"}
"""Without its extension `encodings`."""
_JAVA = {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss"}
_JAVA_FRACTIONS = {"%3f": "SSS", "%6f": "SSSSSS", "%f": "SSSSSS", "%9f": "SSSSSSSSS"}


def pandas_arguments(dialect: Dialect, names: Sequence[str]) -> list[str] | None:
    """Behind the place, for `pandas.read_csv`."""
    if _has_escaped_null(dialect):
        return None
    arguments = _python_arguments(dialect, "sep")
    if not dialect.header:
        arguments += ["header=None", f"names={list(names)!r}"]
    if dialect.quote == "none":
        arguments.append("quoting=3")
    if dialect.has_backslashes:
        arguments += [r'escapechar="\\"', "doublequote=False"]
    if dialect.decimal != ".":
        arguments.append(f"decimal={dialect.decimal!r}")
    return [*arguments, "keep_default_na=False", f"na_values=[{_quoted(dialect.null)}]"]


def polars_arguments(dialect: Dialect, names: Sequence[str]) -> list[str] | None:
    """Behind the place, for `polars.read_csv`, which knows no escape but a doubled quote."""
    if dialect.has_backslashes:
        return None
    arguments = _python_arguments(dialect, "separator")
    if not dialect.header:
        arguments += ["has_header=False", f"new_columns={list(names)!r}"]
    if dialect.quote == "none":
        arguments.append("quote_char=None")
    if dialect.decimal != ".":
        arguments.append("decimal_comma=True")
    if dialect.null:
        arguments.append(f"null_values=[{_quoted(dialect.null)}]")
    return arguments


def duckdb_options(dialect: Dialect, names: Sequence[str]) -> list[str] | None:
    """Behind the place, for `read_csv` of DuckDB."""
    if dialect.encoding not in _DUCKDB_ENCODINGS or _has_escaped_null(dialect):
        return None
    options = []
    if dialect.delimiter != ",":
        options.append(f"delim = {_sql(dialect.delimiter)}")
    if encoding := _DUCKDB_ENCODINGS[dialect.encoding]:
        options.append(f"encoding = {literal(encoding)}")
    if not dialect.header:
        options += ["header = false", f"names = [{', '.join(map(literal, names))}]"]
    if dialect.quote == "none":
        options.append("quote = ''")
    if dialect.has_backslashes:
        options.append(r"escape = '\'")
    if dialect.decimal != ".":
        options.append(f"decimal_separator = {literal(dialect.decimal)}")
    if dialect.null:
        options += [f"nullstr = {literal(dialect.null)}", "allow_quoted_nulls = false"]
    if dialect.date != ISO:
        options.append(f"dateformat = {literal(dialect.date)}")
    if dialect.timestamp != ISO:
        pattern = dialect.timestamp.replace("%3f", "%g").replace("%6f", "%f").replace("%9f", "%n")
        options.append(f"timestampformat = {literal(pattern)}")
    return options


def spark_options(dialect: Dialect) -> list[str] | None:
    """Names and values for `spark.read.option`."""
    if _has_escaped_null(dialect) or dialect.decimal != ".":
        return None
    options = [f'"header", {dialect.header}']
    if dialect.delimiter != ",":
        options.append(f'"sep", {_quoted(dialect.delimiter)}')
    if dialect.encoding != "utf-8":
        options.append(f'"encoding", "{dialect.encoding}"')
    if dialect.quote == "none":
        options.append('"quote", ""')
    if dialect.null:
        options.append(f'"nullValue", {_quoted(dialect.null)}')
    if dialect.date != ISO:
        options.append(f'"dateFormat", {_quoted(_in_java(dialect.date))}')
    if dialect.timestamp != ISO:
        options.append(f'"timestampFormat", {_quoted(_in_java(dialect.timestamp))}')
    return options


def _python_arguments(dialect: Dialect, separator: str) -> list[str]:
    """The delimiter and the encoding, as both libraries take them."""
    arguments = []
    if dialect.delimiter != ",":
        arguments.append(f"{separator}={_quoted(dialect.delimiter)}")
    if dialect.encoding != "utf-8":
        name = "utf-16" if dialect.bom else codec(dialect.encoding)
        arguments.append(f"encoding={_quoted(name)}")
    return arguments


def _has_escaped_null(dialect: Dialect) -> bool:
    r"""Whether NULL is `\N`, which these readers take for an escaped N."""
    return dialect.has_backslashes and "\\" in dialect.null


def _in_java(pattern: str) -> str:
    for part, word in {**_JAVA_FRACTIONS, **_JAVA, "T": "'T'", "Z": "'Z'"}.items():
        pattern = pattern.replace(part, word)
    return pattern


def _quoted(value: str) -> str:
    """A string literal of Python, in double quotes where it can be."""
    literal = repr(value)
    return f'"{literal[1:-1]}"' if literal.startswith("'") and '"' not in literal else literal


def _sql(mark: str) -> str:
    return r"'\t'" if mark == "\t" else literal(mark)
