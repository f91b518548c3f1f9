"""`extract init`: the settings of a deployment, and a folder for its SQL files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel, SecretStr

from extract_project.cli.console import BAD, GOOD, NO, err, explains_itself, marked, out
from extract_project.cli.files.starter import DEFAULTS, SAMPLE, environment_file, workflow
from extract_project.doctor import examine
from extract_project.errors import SettingsError
from extract_project.settings import PREFIX, Settings, load_settings
from extract_project.warehouses import warehouse_model, warehouse_types

_LATER = ("dagster", "schedules and sensors")
"""Checks of a running Dagster, which is started after init."""
_ENVIRONMENT = Path("extract.env")
_WORKFLOW = Path(".github/workflows/extracts.yml")


@click.command()
@click.option("--manifest", help="Where SQL files go, as s3://bucket/prefix.")
@click.option("--data", help="Where extracts are published, as s3://bucket/prefix.")
@click.option("--type", "kind", type=click.Choice(warehouse_types()), help="Of the warehouse.")
@click.option("--warehouse", default="main", show_default=True, help="A name for the warehouse.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the warehouse, as in --set host=db.acme.com.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sql_manifest"),
    show_default=True,
    help="The folder for SQL files.",
)
@click.option("--workflow/--no-workflow", "with_workflow", default=True, show_default=True)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-doctor", is_flag=True, help="Do not look whether it works.")
@explains_itself
def init(
    *,
    manifest: str | None,
    data: str | None,
    kind: str | None,
    warehouse: str,
    given: tuple[str, ...],
    folder: Path,
    with_workflow: bool,
    force: bool,
    no_doctor: bool,
) -> None:
    """Write settings and a folder for SQL files, and check them.

    It asks for what is not given. Nothing is written into a bucket, and no secret into a file. The
    workflow checks pull requests and pushes what is merged.

    \b
    extract init
    extract init --manifest s3://acme-sql/sql --data s3://acme-extracts/extracts \\
      --type postgres --set host=db.acme.com --set user=extracts
    """
    manifest = manifest or click.prompt("S3 location of the SQL files (s3://bucket/prefix)")
    data = data or click.prompt("S3 location of the published extracts (s3://bucket/prefix)")
    kind = kind or click.prompt("Type of the warehouse", type=click.Choice(warehouse_types()))
    model = warehouse_model(kind)
    fields = {"type": kind, **dict(_field(each) for each in given)}
    fields |= {name: click.prompt(f"{kind}: {said}") for name, said in _missing(model, fields)}
    settings = _settings(manifest, data, warehouse, fields)
    hidden = set(_secrets(model))
    secrets = [_variable(warehouse, name) for name in sorted(hidden)]
    values = {
        f"{PREFIX}MANIFEST": manifest,
        f"{PREFIX}DATA": data,
        **{_variable(warehouse, name): fields[name] for name in fields if name not in hidden},
    }
    files = {
        _ENVIRONMENT: environment_file(values, secrets),
        folder / "_defaults.yaml": DEFAULTS,
        folder / "first/example.sql": SAMPLE,
    }
    if with_workflow:
        files[_WORKFLOW] = workflow(values, secrets, folder.as_posix())
    _write(files, force=force)
    if not no_doctor and not _works(settings):
        raise SystemExit(NO)
    out.print(f"next: . ./{_ENVIRONMENT} && extract new sales/orders --from shop.orders")


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text!r} is not a field: expected FIELD=VALUE")
    return name.strip().lower(), value


def _missing(model: type[BaseModel], fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The required fields that have no value yet, with what they are."""
    for name, field in model.model_fields.items():
        written = field.alias or name
        if field.is_required() and written not in fields:
            yield written, (field.description or written).rstrip(".")


def _secrets(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            yield field.alias or name


def _variable(warehouse: str, field: str) -> str:
    return f"{PREFIX}WAREHOUSES__{warehouse}__{field}".upper()


def _settings(manifest: str, data: str, warehouse: str, fields: Mapping[str, Any]) -> Settings:
    """Raises SettingsError where one of them cannot be."""
    return load_settings(
        {"manifest": manifest, "data": data, "warehouses": {warehouse.lower(): dict(fields)}}
    )


def _write(files: Mapping[Path, str], *, force: bool) -> None:
    """All of them, or none: raises SettingsError where one is there already."""
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise SettingsError(f"{', '.join(there)} exists: replace what is there with --force")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        out.print(f"{path}: written")


def _works(settings: Settings) -> bool:
    works = True
    with err.status("looking whether it works"):
        for finding in examine(settings):
            if finding.subject in _LATER:
                continue
            works = works and finding.ok
            out.print(marked(GOOD if finding.ok else BAD, f"{finding.subject}: {finding.detail}"))
            if finding.fix:
                out.print(f"    {finding.fix}")
    return works
