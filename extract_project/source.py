"""The sources of an extract: its SQL file, and the defaults that apply to it, as they were read."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class SqlSource(BaseModel):
    """A SQL file as it was read: its object and the version."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Object key in the manifest bucket."""
    version_id: str | None
    """S3 VersionId; None if the manifest bucket keeps no versions."""
    etag: str
    sha256: str
    modified: AwareDatetime | None = None
    """When it was written to the bucket; None for a local file."""


class DefaultsFile(BaseModel):
    """A `_defaults.yaml` as it was read."""

    model_config = ConfigDict(frozen=True)

    file: str
    """Path below the manifest prefix: `sales/_defaults.yaml`."""
    source: SqlSource
    text: str

    @property
    def version(self) -> str:
        """The file with its version: `sales/_defaults.yaml version 3HL4`."""
        return f"{self.file} version {self.source.version_id or '(unversioned bucket)'}"
