"""Find the SQL files that keep a manifest's definitions from loading (G6).

Names and headers are checked so that Dagster should accept every file. It may still refuse one,
because of a rule of another release, or because another asset of the project has the same key.
Such a file is found by loading the definitions without it, and becomes an invalid extract.
Everything else is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.snapshot import Snapshot
from extract_project.problem import Problem

File = Extract | InvalidExtract
Fault = Callable[[Snapshot], Exception | None]
"""Loads the definitions of a snapshot, and returns the exception, if any."""
Refusals = list[tuple[File, Exception]]


def isolated(snapshot: Snapshot, fault: Fault, served: Snapshot | None) -> Snapshot | None:
    """The snapshot, with every file that keeps the definitions from loading made invalid.

    If files are refused only in combination, those that have changed since `served` become invalid.
    None if no file is the reason, because the definitions do not load even without files.
    """

    def refuses(files: Sequence[File]) -> Exception | None:
        return fault(_of(snapshot, files))

    if refuses([]):
        return None
    before = served.files if served else {}
    files: list[File] = [*snapshot.extracts, *snapshot.invalid]
    files.sort(key=lambda file: before.get(file.source.key) != file.source.etag)
    kept, refused = _sift(refuses, files)
    if refuses(kept):
        kept, collided = _sift(refuses, kept, together=True)
        refused += collided
    for changed in (_invalid, _under_another_key):
        again = [changed(file, error) for file, error in refused]
        more, refused = _sift(refuses, again, kept, together=True)
        kept += more
    return None if refused else _of(snapshot, kept)


def refused_by_dagster(extract: Extract, error: Exception) -> InvalidExtract:
    """An invalid extract for a file that is valid by itself, but refused by Dagster."""
    problem = Problem(line=1, column=1, message=f"dagster refuses this extract: {error}")
    return InvalidExtract(
        path=extract.path,
        source=extract.source,
        defaults=extract.defaults,
        text=extract.text,
        problems=(problem,),
    )


def _sift(
    refuses: Callable[[Sequence[File]], Exception | None],
    files: Sequence[File],
    beside: Sequence[File] = (),
    *,
    together: bool = False,
) -> tuple[list[File], Refusals]:
    """The files that load with the others, and those that do not, each with the reason.

    If a group does not load, each half of it is tried: alone, or, with `together`, in addition to
    what has loaded so far. That takes longer, and finds files that are refused only in combination.
    """
    if not files:
        return [], []
    error = refuses([*beside, *files])
    if error is None:
        return [*files], []
    if len(files) == 1:
        return [], [(files[0], error)]
    middle = len(files) // 2
    kept, refused = _sift(refuses, files[:middle], beside, together=together)
    known = [*beside, *kept] if together else beside
    more, also = _sift(refuses, files[middle:], known, together=together)
    return kept + more, refused + also


def _invalid(file: File, error: Exception) -> File:
    return refused_by_dagster(file, error) if isinstance(file, Extract) else file


def _under_another_key(file: File, error: Exception) -> File:
    invalid = refused_by_dagster(file, error) if isinstance(file, Extract) else file
    return invalid.model_copy(update={"key_is_taken": True})


def _of(snapshot: Snapshot, files: Sequence[File]) -> Snapshot:
    ordered = sorted(files, key=lambda file: file.path)
    return snapshot.model_copy(
        update={
            "extracts": tuple(file for file in ordered if isinstance(file, Extract)),
            "invalid": tuple(file for file in ordered if isinstance(file, InvalidExtract)),
        }
    )
