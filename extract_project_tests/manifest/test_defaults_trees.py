"""Random trees of defaults, held against a plain merge: the nearest wins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from extract_project.manifest.effective import effective_keys
from extract_project.manifest.extract import Extract
from extract_project.manifest.header.model import Header
from extract_project_tests.support.trees import understood

FOLDERS = ("", "a/", "a/b/", "a/b/c/", "z/")
FILES = ("top", "a/one", "a/b/two", "a/b/c/three", "a/bb/four", "z/five")

NAMES = st.sampled_from(["x", "y", "z"])
CHECKS = st.one_of(
    st.builds(lambda n: {"min_rows": n}, st.integers(0, 9)),
    st.builds(lambda n: {"max_rows": n, "severity": "warn"}, st.integers(10, 19)),
    st.builds(lambda name: {"not_null": name}, NAMES),
    st.builds(lambda name: {"unique": [name]}, NAMES),
    st.sampled_from([{"not_null": None}, {"min_rows": None}]),
)


def _unlike(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without a second one of the same name, which is an error of its own."""
    return list({_name(check): check for check in checks}.values())


KEYS: dict[str, st.SearchStrategy[Any]] = {
    "owners": st.sampled_from(["team:a", ["team:b", "ana@acme.com"], None]),
    "tags": st.one_of(st.none(), st.dictionaries(NAMES, st.sampled_from(["1", "2", None]))),
    "params": st.one_of(st.none(), st.dictionaries(NAMES, st.sampled_from([1, "t", None, True]))),
    "format": st.sampled_from(["csv", "jsonl", None]),
    "schedule": st.sampled_from(["hourly", ["daily at 06:00", "0 7 * * *"], None]),
    "timeout": st.sampled_from(["5m", None]),
    "retries": st.sampled_from([{"max": 5}, {"delay": "10s"}, None]),
    "checks": st.one_of(st.none(), st.lists(CHECKS, min_size=1, max_size=4).map(_unlike), CHECKS),
}
LAYERS = st.fixed_dictionaries({}, optional=KEYS)
TREES = st.tuples(
    st.dictionaries(st.sampled_from(FOLDERS), LAYERS),
    st.fixed_dictionaries(dict.fromkeys(FILES, LAYERS)),
)


def _name(check: Mapping[str, Any]) -> str:
    """What two checks have in common of which the nearer one counts; of a null, its kind."""
    kind = next(key for key in check if key != "severity")
    value = check[kind]
    if value is None:
        return f"no {kind}"
    return (
        kind + "".join(f" {each}" for each in ([value] if isinstance(value, str) else value))
        if kind in ("not_null", "unique")
        else kind
    )


def plain_merge(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What docs/sql-files.md says, in a few lines."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if value is None:
                merged.pop(key, None)
            elif key == "params":
                merged[key] = merged.get(key, {}) | value
            elif key == "tags":
                tags = merged.get(key, {}) | value
                merged[key] = {name: each for name, each in tags.items() if each is not None}
            elif key == "checks":
                checks = [value] if isinstance(value, dict) else value
                names = {_name(each) for each in checks}
                kept = [
                    each
                    for each in merged.get(key, [])
                    if _name(each) not in names and f"no {next(iter(each))}" not in names
                ]
                added = [each for each in checks if not _name(each).startswith("no ")]
                merged[key] = kept + added
            else:
                merged[key] = value
    return merged


@settings(max_examples=25, derandomize=True, phases=[Phase.generate])
@given(TREES)
def test_every_tree_is_as_a_plain_merge_of_it(
    tree: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]],
) -> None:
    folders, files = tree
    texts = {f"{folder}_defaults.yaml": json.dumps(each) for folder, each in folders.items()}
    sql = "select :x as x, :y as y, :z as z"
    for path, own in files.items():
        constants = {"params": {"x": 0, "y": 0, "z": 0} | (own.get("params") or {})}
        files[path] = own | constants
        texts[f"{path}.sql"] = f"/*---\n{json.dumps(files[path])}\n---*/\n{sql}"
    found = understood(texts)
    for path, own in files.items():
        reaching = [
            folders[folder] for folder in FOLDERS if folder in folders and path.startswith(folder)
        ]
        extract = found[path]
        assert isinstance(extract, Extract), extract.reasons
        expected = Header.model_validate(plain_merge([*reaching, own]))
        assert extract.header == expected
        _require_true_origins(extract, texts)


def _require_true_origins(extract: Extract, texts: Mapping[str, str]) -> None:
    """Each place that is named is in a file that reaches it, and has the key's name."""
    for each in effective_keys(extract):
        if each.written_in is None:
            continue
        file, line, column = each.written_in.rsplit(":", 2)
        assert file in (extract.file, *(defaults.file for defaults in extract.defaults))
        rest = texts[file].split("\n")[int(line) - 1][int(column) - 1 :]
        part = each.key.partition(".")
        if part[0] == "checks" and part[1]:
            kind = next(key for key in each.value if key != "severity")
            assert kind in rest[:20] or rest.startswith('"checks"')
        else:
            assert rest.startswith(f'"{part[2] or part[0]}"')
