"""The component that adds extracts to an existing Dagster project, configured in YAML."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from extract_project.orchestration.load.build import build_extract_defs
from extract_project.settings import load_settings


class ExtractsComponent(dg.Component, dg.Model, dg.Resolvable):
    """Every SQL file of a manifest in S3 as an asset, published as versions of S3 objects.

    An attribute that is not given is read from its environment variable, such as EXTRACT_MANIFEST.
    """

    manifest: str | None = Field(None, description="where the SQL files are: s3://bucket/prefix")
    data: str | None = Field(
        None, description="where extracts are published: s3://bucket/prefix, with versioning on"
    )
    state: str | None = Field(
        None, description="where snapshots and receipts are kept; default: .extract below data"
    )
    warehouse: str | None = Field(
        None, description="name of the default warehouse, where there are several"
    )
    warehouses: dict[str, dict[str, Any]] | None = Field(
        None,
        repr=False,  # it can hold passwords
        description="name to settings, as in {shop: {type: duckdb, path: /data/shop.duckdb}}; "
        "secrets as '{{ env.NAME }}'",
    )
    destinations: dict[str, dict[str, Any]] | None = Field(
        None, description="further places to publish to, as in {crm: {url: s3://crm/inbound}}"
    )
    kms_key_id: str | None = Field(None, description="SSE-KMS key for everything that is written")
    dagster_url: str | None = Field(
        None, description="the webserver, to reload this code location when the SQL changes"
    )
    alerts: dict[str, Any] | None = Field(
        None, repr=False, description="channels for alerts about failures, as in {slack_webhook: …}"
    )
    fargate: dict[str, float] | None = Field(
        None, description="prices of an ECS task, as in {vcpu_hour: 0.04}, to estimate its cost"
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of all extracts. SettingsError names the attribute that is wrong."""
        given = {name: value for name, value in self if value is not None}
        made = build_extract_defs(load_settings(given))
        # A copy, because Dagster resolves these definitions together with the project's others.
        return dg.Definitions.merge(made)
