"""How a header writes the type of a column: `int64`, `decimal(38,9)`, `list<text>`.

Each type of a file has one spelling. Reading one needs no Arrow, so that headers are understood
without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.problem import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_PLAIN = (*_INTEGERS, "float32", "float64", "bool", "text", "json", "binary", "date")
_MOMENTS = ("time", "timestamp", "timestamptz")
_NESTED = ("list", "struct", "map")
_NAMES = (*_PLAIN, *_MOMENTS, "decimal", *_NESTED)
_ELSEWHERE = {
    **dict.fromkeys(("string", "str", "utf8", "varchar", "char", "uuid", "variant"), "text"),
    **dict.fromkeys(("int", "integer"), "int32"),
    **dict.fromkeys(("bigint", "long"), "int64"),
    **dict.fromkeys(("numeric", "number"), "decimal"),
    **dict.fromkeys(("double", "float"), "float64"),
    **{"smallint": "int16", "tinyint": "int8", "real": "float32", "boolean": "bool"},
    **{"bytes": "binary", "blob": "binary", "bytea": "binary", "date32": "date", "jsonb": "json"},
    **{"datetime": "timestamp", "timestamp_ntz": "timestamp", "array": "list", "object": "json"},
    **dict.fromkeys(("timestamp_tz", "timestamp_ltz"), "timestamptz"),
}
"""Names that SQL and other systems use for these types, to suggest the right one."""

_LARGEST_128, _LARGEST_256 = 38, 76
_DEEPEST = 16
_SHOWN = 40

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
PATTERN = (
    rf"^\s*({'|'.join((*_PLAIN, *_MOMENTS))}|({'|'.join(_MOMENTS)})\s*\([69]\)"
    r"|decimal\s*\(\s*[0-9]+\s*(,\s*[0-9]+\s*)?\)"
    rf"|({'|'.join(_NESTED)})\s*<.+>)"
)
"""For editors: the beginning of a type. The types within `<>` are checked when the header is
parsed.
"""

_TOKEN = re.compile(rf'\s*({_NAME}|[0-9]+|"(?:[^"]|"")*"|[<>(),])')


@dataclass(frozen=True)
class ColumnType:
    """A type as it is written; `str()` is its one spelling."""

    name: str
    arguments: tuple[int, ...] = ()
    inner: tuple[ColumnType, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.arguments:
            return f"{self.name}({','.join(map(str, self.arguments))})"
        if self.fields:
            pairs = zip(self.fields, self.inner, strict=True)
            return f"{self.name}<{', '.join(f'{_field(name)} {kind}' for name, kind in pairs)}>"
        if self.inner:
            return f"{self.name}<{', '.join(map(str, self.inner))}>"
        return self.name

    def arrow(self) -> pa.DataType:
        """The type of the column in the file's schema."""
        import pyarrow as pa

        if self.name == "decimal":
            precision, scale = self.arguments
            of = pa.decimal128 if precision <= _LARGEST_128 else pa.decimal256
            return of(precision, scale)
        if self.name in _MOMENTS:
            unit = "ns" if self.arguments == (9,) else "us"
            zone = "UTC" if self.name == "timestamptz" else None
            return pa.time64(unit) if self.name == "time" else pa.timestamp(unit, zone)
        if self.name == "list":
            return pa.list_(pa.field("element", self.inner[0].arrow()))
        if self.name == "map":
            return pa.map_(*(each.arrow() for each in self.inner))
        if self.name == "struct":
            pairs = zip(self.fields, self.inner, strict=True)
            return pa.struct([pa.field(name, kind.arrow()) for name, kind in pairs])
        known: dict[str, Callable[[], pa.DataType]] = {
            **{"text": pa.string, "json": pa.string, "binary": pa.binary, "date": pa.date32},
            **{"bool": pa.bool_},
        }
        return known[self.name]() if self.name in known else pa.type_for_alias(self.name)


def parse_type(text: str) -> ColumnType:
    """Parse a type; raises ValueError with what is wrong and a suggestion."""
    tokens = _tokens(text)
    found = _read(tokens, text)
    if tokens:
        raise ValueError(f"{tokens[0]!r} follows the type in {text!r}: remove it")
    return found


def spelled(kind: pa.DataType) -> str:
    """The spelling of a column's type in a file's schema."""
    return str(_column_type(kind))


def _column_type(kind: pa.DataType) -> ColumnType:
    import pyarrow as pa

    types = pa.types
    if types.is_decimal(kind):
        return ColumnType("decimal", (kind.precision, kind.scale))
    if types.is_timestamp(kind) or types.is_time(kind):
        zoned = types.is_timestamp(kind) and kind.tz
        name = "time" if types.is_time(kind) else "timestamptz" if zoned else "timestamp"
        return ColumnType(name, (9,) if kind.unit == "ns" else ())
    if types.is_list(kind):
        return ColumnType("list", inner=(_column_type(kind.value_type),))
    if types.is_map(kind):
        return ColumnType("map", inner=(_column_type(kind.key_type), _column_type(kind.item_type)))
    if types.is_struct(kind):
        inner = tuple(_column_type(field.type) for field in kind.fields)
        return ColumnType("struct", inner=inner, fields=tuple(f.name for f in kind.fields))
    names = {pa.string(): "text", pa.float32(): "float32", pa.float64(): "float64"}
    names |= {pa.date32(): "date"}
    return ColumnType(names.get(kind, str(kind)))


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(
                f"{text!r} is not a type: {text[position:].strip()!r} is not understood"
            )
        tokens.append(match.group(1))
        position = match.end()
    return tokens


def _read(tokens: list[str], text: str, depth: int = 0) -> ColumnType:
    if depth > _DEEPEST:
        raise ValueError(f"{text[:_SHOWN]}… is nested more than {_DEEPEST} levels deep")
    word = tokens.pop(0) if tokens else ""
    name = word.lower()
    if name not in _NAMES:
        raise ValueError(_unknown(word, text))
    if name in _NESTED:
        return _read_nested(name, tokens, text, depth + 1)
    arguments = _read_arguments(tokens, text)
    if name == "decimal":
        return _decimal(arguments, text)
    if name in _MOMENTS and arguments in ((), (6,), (9,)):
        return ColumnType(name, arguments if arguments == (9,) else ())
    if arguments:
        raise ValueError(
            f"{text!r}: {name} takes 6 or 9, the digits of the fraction of a second"
            if name in _MOMENTS
            else f"{text!r}: {name} takes no argument in parentheses"
        )
    return ColumnType(name)


def _decimal(arguments: tuple[int, ...], text: str) -> ColumnType:
    if not 1 <= len(arguments) <= 2:  # noqa: PLR2004
        raise ValueError(
            f"{text!r}: expected the digits in total and after the point, as in decimal(38,9)"
        )
    precision, scale = arguments if len(arguments) > 1 else (*arguments, 0)
    if not 1 <= precision <= _LARGEST_256 or scale > precision:
        raise ValueError(
            f"{text!r}: expected 1 to {_LARGEST_256} digits, and no more of them after the point"
        )
    return ColumnType("decimal", (precision, scale))


def _read_arguments(tokens: list[str], text: str) -> tuple[int, ...]:
    if tokens[:1] != ["("]:
        return ()
    tokens.pop(0)
    arguments = []
    while tokens and tokens[0].isdigit():
        arguments.append(int(tokens.pop(0)))
        if tokens[:1] == [","]:
            tokens.pop(0)
    if tokens[:1] != [")"]:
        raise ValueError(
            f"{text!r}: expected numbers and a closing parenthesis; within braces, where a comma "
            f"ends a value, put the type in quotes"
        )
    tokens.pop(0)
    return tuple(arguments)


def _read_nested(name: str, tokens: list[str], text: str, depth: int) -> ColumnType:
    shown = {"list": "list<int64>", "map": "map<text, int64>", "struct": "struct<a int64, b text>"}
    inner: list[ColumnType] = []
    fields: list[str] = []
    opener = "<"
    while tokens[:1] == [opener]:
        tokens.pop(0)
        if name == "struct" and tokens:
            fields.append(tokens.pop(0).removeprefix('"').removesuffix('"').replace('""', '"'))
        inner.append(_read(tokens, text, depth))
        opener = ","
    wanted = {"list": 1, "map": 2, "struct": max(1, len(inner))}[name]
    if tokens[:1] != [">"] or len(inner) != wanted:
        raise ValueError(f"{text!r}: expected the form {shown[name]}")
    tokens.pop(0)
    return ColumnType(name, inner=tuple(inner), fields=tuple(fields))


def _unknown(word: str, text: str) -> str:
    if not word:
        return f"{text!r} ends where a type is expected"
    meant = _ELSEWHERE.get(word.lower())
    return f"unknown type {word!r}: " + (
        f"did you mean {meant!r}?" if meant else suggestion(word, _NAMES)
    )


def _field(name: str) -> str:
    return name if re.fullmatch(_NAME, name) else '"' + name.replace('"', '""') + '"'
