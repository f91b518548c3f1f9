"""What can only be found with all files of a manifest together: collisions and bad references."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extract_project.manifest.collisions import Claims, page_name
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.others import OtherManifest
from extract_project.problem import Problem, suggestion


def sort_out(
    parsed: Iterable[Extract | InvalidExtract],
    others: Sequence[OtherManifest] = (),
    is_elsewhere: Callable[[str], bool] = lambda _: False,
) -> tuple[tuple[Extract, ...], tuple[InvalidExtract, ...]]:
    """Split a manifest into valid and invalid extracts.

    Files may depend on extracts of `others`. `is_elsewhere` tells whether a path exists outside
    these files.
    """
    files: dict[str, list[Extract | InvalidExtract]] = {}
    for file in sorted(parsed, key=lambda each: each.source.key):
        files.setdefault(file.path, []).append(file)
    extracts = []
    invalid = []
    claims = Claims(each for same in files.values() for each in same if isinstance(each, Extract))
    namespace = _Namespace(files, others, is_elsewhere)
    for _, same in sorted(files.items()):
        file = same[0]
        problem = _collision(same) if len(same) > 1 else _bad_reference(file, namespace)
        if problem is None and isinstance(file, Extract):
            problem = _taken_path(file, claims)
        if problem and isinstance(file, Extract):
            file = _invalidate(file, problem)
        if isinstance(file, Extract):
            extracts.append(file)
        else:
            invalid.append(file)
    return tuple(extracts), tuple(invalid)


def _collision(same: list[Extract | InvalidExtract]) -> Problem:
    keys = " and ".join(f"'{file.source.key}'" for file in same)
    return Problem(line=1, column=1, message=f"{keys} are the same extract: rename one of them")


def _taken_path(file: Extract, claims: Claims) -> Problem | None:
    kept = page_name(file)
    if kept:
        message = f"its object would be named like {kept}, a page of this project: rename it"
        return file.problem(("path",), message)
    taken = claims.claim(file)
    if taken is None:
        return None
    other, path = taken
    message = (
        f"{other.file} and {file.file} would publish the same object, such as {path}, and "
        f"{other.file} comes first: change the 'path' of one of them"
    )
    return file.problem(("path",), message)


@dataclass(frozen=True)
class _Namespace:
    """All that `depends_on` can name: one namespace over all manifests."""

    files: Mapping[str, Sequence[Extract | InvalidExtract]]
    others: Sequence[OtherManifest]
    is_elsewhere: Callable[[str], bool]

    def having(self, path: str) -> list[OtherManifest]:
        """The other manifests that have an extract."""
        return [each for each in self.others if path in each]

    def upstream(self, path: str) -> Sequence[str]:
        """What an extract depends on."""
        if path in self.files:
            file = self.files[path][0]
            return file.header.depends_on if isinstance(file, Extract) else ()
        return next((each.upstream(path) for each in self.having(path)), ())

    def elsewhere(self, path: str) -> Iterator[tuple[OtherManifest, str]]:
        """An extract and all upstream of it, as far as they are in other manifests."""
        coming, seen = [path], {path}
        while coming:
            path = coming.pop()
            for other in self.having(path)[:1]:
                yield other, path
            if path not in self.files:
                more = [each for each in self.upstream(path) if each not in seen]
                seen.update(more)
                coming += more

    def way_back(self, start: str, end: str) -> list[str]:
        """The chain of dependencies from one extract to another; empty if there is none."""
        reached_from: dict[str, str] = {}
        coming = [start]
        while coming:
            path = coming.pop()
            if path == end:
                way = [end]
                while way[0] != start:
                    way.insert(0, reached_from[way[0]])
                return way
            for each in self.upstream(path):
                if each not in reached_from and each != start:
                    reached_from[each] = path
                    coming.append(each)
        return []


def _bad_reference(file: Extract | InvalidExtract, namespace: _Namespace) -> Problem | None:
    if not isinstance(file, Extract):
        return None
    for index, path in enumerate(file.header.depends_on):
        message = _fault_of_reference(file, path, namespace)
        if message:
            return file.problem(("depends_on", index), message)
    return None


def _fault_of_reference(file: Extract, path: str, namespace: _Namespace) -> str:
    if path == file.path:
        return "an extract cannot depend on itself"
    having = namespace.having(path)
    if path not in namespace.files and not having:
        return "" if namespace.is_elsewhere(path) else _not_found(path, namespace)
    places = ["EXTRACT_MANIFEST"] if path in namespace.files else []
    places += [each.uri for each in having]
    if len(places) > 1:
        return (
            f"{path!r} is in {' and in '.join(places)}, and they would be one asset: rename one of "
            f"them"
        )
    for other, upstream in namespace.elsewhere(path):
        if fault := other.fault_of(upstream):
            return (
                f"{upstream!r} in {other.uri} was written by another release of this project, "
                f"which this one does not understand: deploy the same release for both ({fault})"
            )
    way = namespace.way_back(path, file.path)
    if way:
        shown = " → ".join([file.path, *way])
        return f"these depend on each other: {shown}: remove one dependency"
    return ""


def _not_found(path: str, namespace: _Namespace) -> str:
    others = namespace.others
    known = [*namespace.files, *(each for other in others for each in other.paths)]
    where = f", here or in {', '.join(each.uri for each in others)}" if others else ""
    unknown = [
        f"nothing is known of {each.uri}, which EXTRACT_UPSTREAM_MANIFESTS names: {each.unknown}"
        for each in others
        if each.unknown
    ]
    hint = "; ".join(unknown) or suggestion(path, known)
    return f"no extract {path!r} to depend on{where}: {hint}"


def _invalidate(extract: Extract, problem: Problem) -> InvalidExtract:
    return InvalidExtract(
        path=extract.path,
        source=extract.source,
        defaults=extract.defaults,
        text=extract.text,
        problems=(problem,),
    )
