"""The catalogue's data about each extract. `catalog.json` is a `Catalog`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from extract_project.manifest.fields.partitions import Partitions


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class CatalogColumn(_Part):
    """One column of the current version, or of its newest partition."""

    name: str
    type: str = Field(description="As a header writes it: int64, decimal(38,9), timestamp.")
    nulls: int = Field(description="How many values are NULL.")
    null_share: float = Field(description="The share of NULLs among all rows, from 0 to 1.")
    lowest: str | None = Field(description="The lowest value; absent for types without an order.")
    highest: str | None
    description: str = Field("", description="What it means, as far as the version says so.")


class DeclaredColumn(_Part):
    """A column as the SQL file declares it, before and after it is published."""

    name: str
    type: str = Field("", description="As `columns` declares it; empty where it does not.")
    nullable: bool = Field(True, description="Whether it may be NULL.")
    description: str = ""


class CatalogVersion(_Part):
    """A published version, or a partition's current version."""

    key: str
    version_id: str
    partition: str | None = None
    published_at: AwareDatetime
    token: str = Field(description="The object's ETag.")
    modified: AwareDatetime = Field(description="The time that S3 gives the object.")
    bytes: int
    rows: int | None = Field(description="Absent where the version has no receipt.")
    rows_change: int | None = Field(description="Against the version before it.")
    sql_changed: bool | None
    schema_changed: bool | None
    restored: bool = Field(description="Whether a rollback made it current again.")
    run_id: str | None


class CatalogCheck(_Part):
    """A rule that every result must keep."""

    rule: str
    blocks: bool = Field(description="Whether a result that breaks it is refused.")


class Published(_Part):
    """The published objects of an extract."""

    versions: tuple[CatalogVersion, ...] = Field(
        description="The newest versions, the newest first. Of an extract with partitions: the "
        "current version of each of the newest partitions."
    )
    columns: tuple[CatalogColumn, ...]
    partitions: int | None = Field(description="How many partitions have a current version.")
    code_version: str | None = Field(description="Of the SQL that made the newest version.")
    format_options: dict[str, Any] | None = Field(
        None, description="What `csv` of the header chose for it, where that is not the default."
    )


class CatalogEntry(_Part):
    """One extract."""

    path: str = Field(description="Folder and name, as in sales/orders.")
    manifest: str = Field(description="URI of the manifest that its SQL file belongs to.")
    description: str = ""
    owners: tuple[str, ...] = ()
    consumers: tuple[str, ...] = Field((), description="Who reads it.")
    tags: dict[str, str] = {}
    warehouse: str = ""
    warehouse_type: str = ""
    enabled: bool = True
    schedule: tuple[str, ...] = Field((), description="As its author wrote it.")
    timezone: str = "UTC"
    freshness_seconds: int | None = Field(
        None, description="How old the published version may get."
    )
    partitions: Partitions | None = Field(None, description="As in the header, in full form.")
    format: str = ""
    extension: str = Field("", description="Of its files, as in .csv.gz.")
    destination: str = Field("data", description="Name of the destination, as in `to`.")
    folder: str = Field("", description="URI of its destination, where that is not `data`.")
    uri: str = Field(
        "", description="Where it is published, with `*` for what differs between partitions."
    )
    also: dict[str, str] = Field(
        {}, description="Of further destinations, their names: where each has the same result."
    )
    parts: bool = Field(False, description="Whether `uri` is a manifest that lists part objects.")
    unloaded: bool = Field(
        False,
        description="Whether the warehouse may have written the parts, in folders of its own.",
    )
    named: bool = Field(False, description="Whether its header names its objects, by `path`.")
    columns: tuple[DeclaredColumn, ...] = Field(
        (), description="What the SQL file says of its columns: all of them, or some."
    )
    checks: tuple[CatalogCheck, ...] = ()
    reads: tuple[str, ...] = Field((), description="The warehouse tables that its SQL reads.")
    upstream: tuple[str, ...] = Field((), description="The extracts that it depends on.")
    downstream: tuple[str, ...] = Field((), description="The extracts that depend on it.")
    sql: str = ""
    sql_uri: str = ""
    sql_version: str | None = None
    defaults: tuple[str, ...] = Field(
        (), description="URIs of the defaults that apply to it, from the root folder down."
    )
    code_version: str = Field(
        "", description="Changes when the SQL or a header key that shapes the data does."
    )
    problems: tuple[str, ...] = Field(
        (), description="Why the SQL file is invalid. What it published before stays."
    )
    published: Published | None = Field(None, description="Absent before the first publish.")

    @property
    def published_columns(self) -> tuple[CatalogColumn, ...]:
        """The columns of the current version, each with the newest description."""
        said = {each.name.casefold(): each.description for each in self.columns}
        return tuple(
            column.model_copy(
                update={"description": said.get(column.name.casefold()) or column.description}
            )
            for column in (self.published.columns if self.published else ())
        )


class CatalogManifest(_Part):
    """A manifest whose extracts are in the catalogue."""

    uri: str
    built_at: AwareDatetime = Field(description="When its extracts were last brought up to date.")


class CatalogDefaults(_Part):
    """The defaults of a folder, a `_defaults.yaml`."""

    uri: str
    version: str | None
    text: str


class Catalog(_Part):
    """Every extract that is published in one place, of one manifest or of several."""

    data: str
    manifests: tuple[CatalogManifest, ...]
    defaults: tuple[CatalogDefaults, ...] = ()
    extracts: tuple[CatalogEntry, ...] = Field(description="By path.")

    @property
    def names(self) -> Sequence[str]:
        """The URIs of the manifests whose parts are in it."""
        return [each.uri for each in self.manifests]

    def only(self, manifest: str) -> Catalog:
        """The part of one manifest."""
        return self._with(
            [each for each in self.manifests if each.uri == manifest],
            [each for each in self.extracts if each.manifest == manifest],
            self.defaults,
        )

    def without(self, name: str) -> Catalog:
        """All but the part of one manifest."""
        return self._with(
            [each for each in self.manifests if each.uri != name],
            [each for each in self.extracts if each.manifest != name],
            self.defaults,
        )

    def with_part(self, part: Catalog) -> Catalog:
        """With another manifest's part. Of two extracts in one place, the one in it is kept."""
        uris = {each.uri for each in part.extracts}
        paths = {each.path for each in part.extracts}
        others = [
            each
            for each in self.extracts
            if (each.uri not in uris if each.uri else each.path not in paths)
        ]
        left = {each.manifest for each in others}
        return self._with(
            [*(each for each in self.manifests if each.uri in left), *part.manifests],
            [*others, *part.extracts],
            [*self.defaults, *part.defaults],
        )

    def _with(
        self,
        manifests: Iterable[CatalogManifest],
        extracts: Iterable[CatalogEntry],
        defaults: Iterable[CatalogDefaults],
    ) -> Catalog:
        kept = _with_downstream(sorted(extracts, key=lambda each: (each.path, each.manifest)))
        read = {uri for each in kept for uri in each.defaults}
        return Catalog(
            data=self.data,
            manifests=tuple(sorted(manifests, key=lambda each: each.uri)),
            defaults=tuple(each for each in defaults if each.uri in read),
            extracts=tuple(kept),
        )


def _with_downstream(entries: Sequence[CatalogEntry]) -> list[CatalogEntry]:
    """The entries with the extracts that depend on them, also those of other manifests."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in entries:
        for path in each.upstream:
            found[path].append(each.path)
    return [
        each.model_copy(update={"downstream": tuple(found.get(each.path, ()))}) for each in entries
    ]


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of `catalog.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Catalog.model_json_schema()
