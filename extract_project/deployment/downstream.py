"""Ask a running deployment which of its assets depend on extracts, and which columns they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from extract_project.deployment.client import Deployment
from extract_project.planning.breaking import Downstream, DownstreamAsset

_DOWNSTREAM = """
query Downstream($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    repository { location { name } }
    dependedBy {
      asset {
        assetKey { path }
        repository { location { name } }
        metadataEntries { label ...Lineage }
        assetMaterializations(limit: 1) { metadataEntries { label ...Lineage } }
      }
    }
  }
}
fragment Lineage on TableColumnLineageMetadataEntry {
  lineage { columnDeps { assetKey { path } columnName } }
}
"""
_OF_EXTRACTS = {"sql_file", "published_as"}
"""Labels of metadata that the asset of each extract has."""


def downstream_assets(deployment: Deployment, extracts: Iterable[str]) -> dict[str, Downstream]:
    """What depends on extracts, in one request.

    An extract that the deployment does not know is not in the answer. Raises DeploymentError if
    none answers.
    """
    keys = [{"path": path.split("/")} for path in extracts]
    found = {}
    for node in deployment.query(_DOWNSTREAM, keys=keys)["assetNodes"]:
        path = "/".join(node["assetKey"]["path"])
        readers = (each["asset"] for each in node["dependedBy"])
        found[path] = _of(path, node["repository"], readers)
    return found


def _of(path: str, home: Mapping[str, Any], readers: Iterable[Mapping[str, Any]]) -> Downstream:
    assets, extracts = [], []
    for each in readers:
        if not _is_extract(each):
            assets.append(_asset(each, path))
        elif each["repository"] != home:
            extracts.append("/".join(each["assetKey"]["path"]))
    return Downstream(tuple(sorted(assets, key=lambda asset: asset.key)), tuple(sorted(extracts)))


def _is_extract(node: Mapping[str, Any]) -> bool:
    return _OF_EXTRACTS.issubset(each["label"] for each in node["metadataEntries"])


def _asset(node: Mapping[str, Any], extract: str) -> DownstreamAsset:
    """The lineage of the latest materialization counts, else that of the definition."""
    latest = [each["metadataEntries"] for each in node["assetMaterializations"]]
    for entries in (*latest, node["metadataEntries"]):
        used = sorted(set(_columns(entries, extract)))
        if used:
            return DownstreamAsset("/".join(node["assetKey"]["path"]), tuple(used))
    return DownstreamAsset("/".join(node["assetKey"]["path"]), None)


def _columns(entries: Iterable[Mapping[str, Any]], extract: str) -> Iterator[str]:
    for entry in entries:
        for column in entry.get("lineage", ()):
            for source in column["columnDeps"]:
                if "/".join(source["assetKey"]["path"]) == extract:
                    yield str(source["columnName"])
