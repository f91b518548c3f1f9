"""Quote names and texts for standard SQL."""

from __future__ import annotations


def literal(text: str) -> str:
    """A string literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def backslashed(text: str) -> str:
    """A string literal of Hive, Spark or Snowflake, which take a backslash for an escape."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def identifier(name: str, mark: str = '"') -> str:
    """A quoted name; some dialects quote with another mark."""
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"
