"""Keeps the catalogue up to date: after runs that may have published, and when SQL files change.

Many runs that end within a minute make one catalogue. A large catalogue, which takes longer to
build, is built less often: this sensor is busy for at most a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg
from pydantic import AwareDatetime, BaseModel

from extract_project.catalog.build import keep_catalog
from extract_project.catalog.glue import keep_tables, shown
from extract_project.catalog.model import Catalog
from extract_project.layout import CATALOG_PAGE
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.run.code_location import CodeLocation

_INTERVAL_SECONDS = 60
_IDLE_SHARE = 20
_OVERLAP = timedelta(minutes=5)
"""Run records are dated by the clocks of several machines."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class CatalogCursor(BaseModel):
    """The state from which the catalogue was last built."""

    files: str = ""
    """Digest of the manifest's files."""
    looked_at: AwareDatetime | None = None
    runs: tuple[str, ...] = ()
    """Ids of the ended runs that a look at the latest ones finds again."""
    not_before: AwareDatetime | None = None


def catalog_sensor(snapshot: Snapshot, location: CodeLocation) -> dg.SensorDefinition:
    """Builds the catalogue of a snapshot."""
    files = sha256(repr(sorted(snapshot.files.items())).encode()).hexdigest()[:16]

    @dg.sensor(
        name="catalog",
        description="keeps the page for those who read extracts, in the data bucket",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        jobs=[],
    )
    def catalog(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        cursor = CatalogCursor.model_validate_json(context.cursor or "{}")
        if cursor.not_before and now < cursor.not_before:
            return dg.SkipReason(f"the next catalogue is built at {cursor.not_before:%H:%M:%S} UTC")
        ended = _ended_since(context.instance, cursor.looked_at)
        new = [run for run in ended if run.run_id not in cursor.runs]
        if cursor.files == files and not new:
            context.update_cursor(
                cursor.model_copy(update={"looked_at": now, "runs": _ids(ended)}).model_dump_json()
            )
            return dg.SkipReason("nothing was published, and no SQL file changed")
        folders = location.connect()
        found = keep_catalog(folders, snapshot, _paths(new) if cursor.looked_at else None)
        place = folders.data.store.uri(folders.data.key(CATALOG_PAGE))
        said = f"{place}: {len(found.extracts):,} extracts"
        database = location.settings.glue_database
        if database is not None:
            said += f"; {_in_glue(database, found)}"
        took = datetime.now(UTC) - now
        built = CatalogCursor(
            files=files, looked_at=now, runs=_ids(ended), not_before=now + _IDLE_SHARE * took
        )
        context.update_cursor(built.model_dump_json())
        return dg.SkipReason(f"{said}; in {took.total_seconds():.1f} s")

    return catalog


def _in_glue(database: str, catalog: Catalog) -> str:
    """Say in words which tables were created or changed."""
    written, refusals = keep_tables(database, catalog.extracts, catalog.data)
    said = f"{written:,} tables written in the Glue database {database}"
    return f"{said}; refused: {shown(refusals)}" if refusals else said


def _ended_since(instance: dg.DagsterInstance, moment: datetime | None) -> Sequence[dg.DagsterRun]:
    """The runs that have ended since the last look, and those that had just ended then."""
    if moment is None:
        return []
    latest = dg.RunsFilter(statuses=_ENDED, updated_after=moment - _OVERLAP)
    return [record.dagster_run for record in instance.get_run_records(latest)]


def _paths(runs: Iterable[dg.DagsterRun]) -> Collection[str] | None:
    """The paths of the extracts that some runs may have published.

    None where a run does not say it, as the job of a rollback does not.
    """
    paths = set[str]()
    for run in runs:
        if not run.asset_selection:
            return None
        paths |= {key.to_user_string() for key in run.asset_selection}
    return paths


def _ids(runs: Iterable[dg.DagsterRun]) -> tuple[str, ...]:
    return tuple(sorted(run.run_id for run in runs))
