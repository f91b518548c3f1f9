"""Check that a header and its SQL agree: parameters are used, and columns exist."""

from __future__ import annotations

from dataclasses import replace

from extract_project.manifest.fields.incremental import WATERMARK
from extract_project.manifest.header.frontmatter import FrontMatter
from extract_project.manifest.header.layers import Layer
from extract_project.manifest.header.model import Header
from extract_project.manifest.named_columns import missing_columns
from extract_project.problem import position, refuse
from extract_project.sql.dialect import Dialect
from extract_project.sql.guard import Statement


def require_agreement(
    header: Header, statement: Statement, text: str, front_matter: FrontMatter
) -> None:
    """Raise Refused at the first place where the two disagree."""
    _require_named_columns(header, front_matter)
    _require_params_are_used(header, statement, front_matter)
    _require_partition_is_used(header, statement, front_matter)
    _require_watermark(header, statement, text, front_matter)
    if header.on_source_change and not statement.tables:
        message = "the SQL reads no table whose changes could start it: use a cron"
        raise front_matter.refuse(("schedule",), message)


def require_comment_ends(front_matter: FrontMatter, dialect: Dialect) -> None:
    """Raise Refused for a `/*` in the header if the dialect nests comments: it would hide the
    SQL."""
    if front_matter.nested and dialect.lexicon.nested_comments:
        raise refuse(
            *front_matter.nested,
            f"{dialect.name} reads this '/*' as the start of a nested comment, so the header "
            f"has no end: remove it, or write the header in lines that begin with '-- ', between "
            f"two lines '-- ---'",
        )


def require_limits(header: Header, front_matter: FrontMatter, dialect: Dialect) -> None:
    """Raise Refused for `max_bytes` in a file whose warehouse bills no bytes.

    As a default of a folder it is for the files whose warehouse does.
    """
    path = ("max_bytes",)
    if header.max_bytes is None or dialect.bills_bytes:
        return
    if front_matter.set_in(path) is None:
        raise front_matter.refuse(
            path, f"'max_bytes' would limit nothing: {dialect.name} bills no bytes; remove it"
        )


def with_engine(layer: Layer, dialect: Dialect) -> Layer:
    """The header with an `engine` that the file's warehouse can be.

    As a default of a folder, another is for the files whose warehouse can, and changes nothing of
    this one. Raises Refused for one in the file itself.
    """
    path, header = ("engine",), layer.header
    if dialect.unloads or not header.may_unload:
        return layer
    if layer.front_matter.set_in(path) is not None:
        return replace(layer, header=header.model_copy(update={"engine": "stream"}))
    raise layer.front_matter.refuse(
        path,
        f"'engine: {header.engine}' needs a warehouse that writes files: {dialect.name} does not; "
        f"remove it",
    )


def _require_named_columns(header: Header, front_matter: FrontMatter) -> None:
    """Raise Refused if the header declares `columns` and a check names another column."""
    if header.columns is not None:
        front_matter.require_none(missing_columns(header, list(header.columns)))


def _require_params_are_used(
    header: Header, statement: Statement, front_matter: FrontMatter
) -> None:
    used = {each.name for each in statement.placeholders}
    for name in header.params:
        if name not in used and not front_matter.set_in(("params", name)):
            message = f"the SQL does not use :{name}: use it, or remove it from 'params'"
            raise front_matter.refuse(("params", name), message)


def _require_partition_is_used(
    header: Header, statement: Statement, front_matter: FrontMatter
) -> None:
    if header.partitions is None:
        return
    names = header.partitions.bound_names
    if not {each.name for each in statement.placeholders}.intersection(names):
        shown = " or ".join(f":{name}" for name in names)
        raise front_matter.refuse(
            ("partitions",),
            f"the SQL does not use its partition's values, so all partitions would have the "
            f"same rows: use {shown}",
        )


def _require_watermark(
    header: Header, statement: Statement, text: str, front_matter: FrontMatter
) -> None:
    if header.incremental is None:
        return
    if WATERMARK not in {each.name for each in statement.placeholders}:
        raise front_matter.refuse(
            ("incremental",),
            f"the SQL does not use the watermark, so every run would read everything: add "
            f"'where :{WATERMARK} is null or {header.incremental.cursor} >= :{WATERMARK}'",
        )
    for comparison in statement.strictly_after:
        if comparison.placeholder.name == WATERMARK:
            raise refuse(
                *position(text, comparison.placeholder.start),
                f"later rows with exactly the watermark's value would be lost: write "
                f"'{comparison.operator}='; rows that are published already are dropped",
            )
