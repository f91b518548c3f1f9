"""Array, Tuple, Map and Nested as JSON text: the values by their ClickHouse types.

What Arrow loses is put back: an Enum is its name, an IP address and a time are text. A Tuple with
names is an object, one without is an array.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.schema.years import PER_SECOND
from extract_project.warehouses.clickhouse.kinds import Kind
from extract_project.warehouses.json_text import key, plain, quoted

_EPOCH = datetime(1970, 1, 1)


def as_json(column: pa.Array, kind: Kind, name: str, rows_before: int) -> pa.Array:
    """The column as text, one JSON value a row; raises TypeMappingError with the row."""
    texts: list[str | None] = []
    for index, each in enumerate(column):
        try:
            texts.append(_text(each, kind) if each.is_valid else None)
        except (ValueError, OverflowError) as error:
            raise TypeMappingError(
                f"column {name!r} has a value in row {rows_before + index + 1:,} that cannot be "
                f"written as JSON ({error}): convert it in the SQL, toJSONString({name})"
            ) from error
    return pa.array(texts, pa.string())


def _text(scalar: pa.Scalar, kind: Kind) -> str:
    if not scalar.is_valid:
        return "null"
    if kind.name == "Array":
        return "[" + ",".join(_text(each, kind.parts[0]) for each in scalar.values) + "]"
    if kind.name == "Map":
        entries = scalar.values
        keys, items = entries.field(0), entries.field(1)
        pairs = [
            f"{key(_text(keys[i], kind.parts[0]))}:{_text(items[i], kind.parts[1])}"
            for i in range(len(entries))
        ]
        return "{" + ",".join(pairs) + "}"
    if kind.name == "Tuple":
        texts = [_text(scalar[i], part) for i, part in enumerate(kind.parts)]
        if not kind.labels:
            return "[" + ",".join(texts) + "]"
        pairs = [f"{quoted(label)}:{text}" for label, text in zip(kind.labels, texts, strict=True)]
        return "{" + ",".join(pairs) + "}"
    return _of_one(scalar, kind)


def _of_one(scalar: pa.Scalar, kind: Kind) -> str:
    if isinstance(scalar, pa.ExtensionScalar):
        scalar = scalar.value
    if kind.name in ("JSON", "Dynamic"):
        value = scalar.as_py()
        return value.decode() if isinstance(value, bytes) else str(value)
    if kind.name in ("DateTime", "DateTime64"):
        return quoted(_moment(scalar))
    value = scalar.as_py()
    if kind.name in ("Date", "Date32") and isinstance(value, int):
        return plain(date(1970, 1, 1) + timedelta(days=value))
    if kind.name in ("Enum8", "Enum16"):
        if value not in kind.values:
            raise ValueError(f"{kind.text} has no {value}")
        return quoted(kind.values[value])
    if kind.name == "IPv4":
        return quoted(str(IPv4Address(value)))
    if kind.name == "IPv6":
        return quoted(ipv6_text(value))
    if kind.name == "UUID":
        return quoted(str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value)))
    if kind.name in ("Int128", "Int256", "UInt128", "UInt256"):
        return str(int.from_bytes(value, "little", signed=kind.name[0] == "I"))
    if kind.name == "String" and isinstance(value, bytes):
        return quoted(value.decode())
    return plain(value)


def _moment(scalar: pa.Scalar) -> str:
    """ISO 8601 in UTC, with the digits that are not zero, in any year that Python has."""
    if not pa.types.is_timestamp(scalar.type):
        seconds, fraction = scalar.as_py(), ""
    else:
        per_second = PER_SECOND[scalar.type.unit]
        seconds, part = divmod(scalar.value, per_second)
        fraction = f"{part:0{len(str(per_second)) - 1}d}".rstrip("0") if part else ""
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{whole}{'.' if fraction else ''}{fraction}Z"


def ipv6_text(value: bytes) -> str:
    """As ClickHouse writes it: `::ffff:1.2.3.4` for an address of IPv4."""
    address = IPv6Address(value)
    mapped = address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(address)
