"""Live SQL: changes in the manifest bucket are loaded within seconds.

A sensor compares the bucket's listing (keys and ETags, never times) with that of the loaded
definitions. A change must have stood still for a moment, so that a push of many files is one
reload; S3's times only tell whether it already has. Then the manifest is read on trial: working
definitions are only given up for a manifest that can be read. Webserver and daemon follow the code
location by themselves.

Other manifests count too, as far as extracts of this one depend on them. Each look reads which
snapshot is their newest, and a snapshot only when it is another one.

The cursor is a digest of the code versions that were checked for `on_change` runs. They are
checked once per load, and again if the daemon died before it had launched the runs. With a
question as its cursor (a dry run), the sensor answers what is loaded: `deployment/loaded.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg

from extract_project.daemons import DaemonPool
from extract_project.deployment.client import Deployment
from extract_project.deployment.loaded import SENSOR, Question
from extract_project.deployment.questions import as_cursor, question_in
from extract_project.errors import ManifestError
from extract_project.manifest.bucket import list_files
from extract_project.manifest.extract import Extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.load.answering import answer
from extract_project.orchestration.load.loadable import Files, Loadable, Others
from extract_project.orchestration.load.loading import RefusedManifest, current_snapshot
from extract_project.orchestration.names.instigators import location_of
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.store.protocol import ListedObject

_TICK_SECONDS = 5
"""How often the daemon evaluates sensors. A tick looks again if looks are wanted more often."""
# With an interval of exactly 5 seconds, every other evaluation would come some milliseconds too
# early.
_EARLY_SECONDS = 2
_LOOKING = 0.1
"""The share of the time that looks may take, for a second one in a tick: a look takes CPU for each
file."""
_SETTLED = timedelta(seconds=2)
"""How long a change must stand still."""
_WHOLE_SECOND = timedelta(seconds=1)
"""S3 cuts off the fractions of a second when it says when an object was written."""
_ANNOUNCED_SECONDS = 120
"""How long an announced reload may take, before the sensor asks for one itself."""
_PATIENCE_SECONDS = 40
"""How long one tick waits for a reload; Dagster ends a tick after 60 seconds. With thousands of
SQL files a reload takes longer."""


@dataclass
class _Reloads:
    """Reloads that this process knows of. It ends with the first one that reaches it."""

    announced_until: float = 0.0
    """Until when somebody else is about to ask for one."""
    asked_for: Loadable | None = None
    """For what this process has asked for one."""
    under_way: Future[None] | None = None
    """The request for it, until a tick has seen its end."""

    def ask(self, now: Loadable, reload: Callable[[], None]) -> None:
        """Have what is there now loaded, also beyond the end of a tick."""
        pool = DaemonPool(1, "reload")
        self.asked_for, self.under_way = now, pool.submit(reload)
        pool.shutdown(wait=False)

    def is_done(self, seconds: float) -> bool:
        """Wait for the end of the reload; raises its error, and then it may be asked for again."""
        assert self.under_way is not None
        if not wait([self.under_way], seconds).done:
            return False
        done, self.under_way = self.under_way, None
        if error := done.exception():
            self.asked_for = None
            raise error
        return True


def manifest_sensor(
    snapshot: Snapshot,
    location: CodeLocation,
    refused: RefusedManifest | None = None,
    patience: float = _PATIENCE_SECONDS,
) -> dg.SensorDefinition:
    """A sensor that reloads the code location when the manifest changes, and launches extracts with
    `on_change: materialize`.

    A tick waits for a reload for `patience` seconds.
    """
    loaded = Loadable(snapshot.files, snapshot.elsewhere)
    refusing = Loadable(refused.files, refused.elsewhere) if refused else None
    reloads = _Reloads()
    others = Others(snapshot)
    watching = [
        extract
        for extract in snapshot.extracts
        if extract.header.enabled and extract.header.on_change
    ]

    seconds = location.settings.manifest_seconds
    code_versions = _digest({extract.path: extract.code_version for extract in watching})

    @dg.sensor(
        name=SENSOR,
        description="reloads the code location when SQL files are added, changed or removed",
        minimum_interval_seconds=max(_TICK_SECONDS, int(seconds)) - _EARLY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(extract.path) for extract in watching] or None,
        jobs=None if watching else [],
    )
    def manifest(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        folders = location.connect()

        def look() -> tuple[dict[str, ListedObject], Loadable]:
            files = {file.key: file for file in list_files(folders.manifest)}
            tokens = {key: file.token for key, file in files.items()}
            return files, Loadable(tokens, others.look(folders))

        if question := question_in(context.cursor, Question):
            if question.reloads:
                reloads.announced_until = time.monotonic() + _ANNOUNCED_SECONDS
            listed = {file.key: file.token for file in list_files(folders.manifest)}
            answered = answer(question, folders.manifest, snapshot, listed, refused)
            return dg.SensorResult(cursor=as_cursor(answered))
        begun = time.monotonic()
        files, now = look()
        is_quiet = now == loaded and context.cursor == code_versions
        again = begun + seconds - time.monotonic()
        if is_quiet and seconds < _TICK_SECONDS and again > (1 - _LOOKING) * seconds:
            time.sleep(again)
            files, now = look()
        if now == loaded:
            skip = f"{len(files)} SQL files, all of them loaded"
            if context.cursor == code_versions:
                return dg.SkipReason(skip)
            requests = _changed(context.instance, watching)
            return dg.SensorResult(
                run_requests=requests,
                skip_reason=None if requests else skip,
                cursor=code_versions,
            )
        changes = loaded.changes(now)
        if refused and now == refusing:
            raise ManifestError(
                f"the current manifest does not load, so the one before it is still served: "
                f"{changes}: revert this, or fix it: {refused.reason}"
            )
        if reloads.under_way is None:
            if now == reloads.asked_for:
                raise ManifestError(
                    f"{changes}: the webserver has had a code server load them, and it was not "
                    f"this one, which the daemon uses: expected one code server for a code "
                    f"location; end one of the two, then restart the daemon"
                )
            if time.monotonic() < reloads.announced_until:
                return dg.SkipReason(f"{changes}: somebody else has them loaded right now")
            if now.files != loaded.files and (
                left := to_settle(loaded.files, files, datetime.now(UTC))
            ):
                time.sleep(left.total_seconds())
                if look() != (files, now) or time.monotonic() < reloads.announced_until:
                    return dg.SkipReason(f"{changes}: reloaded when they have settled")
            current_snapshot(folders, location.settings.dialects, snapshot)
            settings = location.settings
            reloads.ask(
                now, Deployment(settings.dagster_url, location_of(context, settings)).reload
            )
        if not reloads.is_done(patience):
            return dg.SkipReason(f"{changes}: being loaded")
        return dg.SkipReason(f"{changes}: reloaded")

    return manifest


def to_settle(loaded: Files, files: Mapping[str, ListedObject], now: datetime) -> timedelta:
    """How long to wait until a change has stood still for a moment; zero if it already has.

    Nothing tells when a file was removed. A clock that is fast costs a second reload at most.
    """
    changed = [each for key, each in files.items() if loaded.get(key) != each.token]
    times = [each.modified for each in changed if each.modified is not None]
    if loaded.keys() - files.keys() or len(times) < len(changed) or not times:
        return _SETTLED
    stood = now - max(times) - _WHOLE_SECOND
    return min(max(_SETTLED - stood, timedelta()), _SETTLED)


def _changed(instance: dg.DagsterInstance, watching: Sequence[Extract]) -> list[dg.RunRequest]:
    """Run requests for the extracts whose published result was made by another code version.

    The run key contains the code version, so each version is run once, whatever the outcome.
    """
    keys = {asset_key(extract.path): extract for extract in watching}
    made_by = instance.get_latest_materialization_code_versions(list(keys))
    return [
        run_request(f"{extract.path} {extract.code_version}", [extract], cause="on_change")
        for key, extract in keys.items()
        if made_by.get(key) != extract.code_version
    ]


def _digest(versions: Mapping[str, str]) -> str:
    return sha256(repr(sorted(versions.items())).encode()).hexdigest()[:32]
