"""The IO manager: publishes the staged result of an extract, and loads published extracts.

An asset downstream of extracts declares in its annotation which type it wants:

    @dg.asset(ins={"orders": dg.AssetIn(key=["sales", "orders"])})
    def report(orders: pl.DataFrame): ...

`pandas.DataFrame`, `pyarrow.Table`, `pyarrow.RecordBatchReader` (a stream) and `polars.DataFrame`
are supported. `dg.AssetIn(metadata={"version_id": "…"})` loads that version instead of the current;
with `"to": "crm"`, from that one of several destinations instead of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import dagster as dg
import pyarrow as pa

from extract_project.history.reading import open_version
from extract_project.history.receipt import read_schema, receipt_of
from extract_project.history.versions import require_version
from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.run.execution import Candidate
from extract_project.store.stores import Folders

VERSION_ID = "version_id"
DESTINATION = "to"


class ExtractIOManager(dg.IOManager):
    """Publishes and loads the extracts of one snapshot."""

    def __init__(
        self,
        connect: Callable[[], Folders],
        extracts: Mapping[str, Extract],
    ) -> None:
        self._connect = connect
        self._extracts = {asset_key(path): extract for path, extract in extracts.items()}

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Publish the result. Only here does it become visible."""
        if not isinstance(obj, Candidate):
            raise dg.DagsterInvariantViolationError(
                f"{context.asset_key.to_user_string()} is not an extract, and their IO manager "
                f"stores only extracts: give this asset another io_manager_key"
            )
        context.add_output_metadata(obj.publish())

    def load_input(self, context: dg.InputContext) -> Any:
        """The current version, or the given one, as the type of the asset's argument.

        For several partitions, a dictionary by partition key.
        """
        extract = self._extracts[context.asset_key]
        if not context.has_asset_partitions:
            return self._load(context, extract, None)
        loaded = {key: self._load(context, extract, key) for key in context.asset_partition_keys}
        return loaded if len(loaded) != 1 else next(iter(loaded.values()))

    def _load(self, context: dg.InputContext, extract: Extract, partition: str | None) -> Any:
        asked = context.definition_metadata or {}
        wanted = asked.get(VERSION_ID)
        extract = extract.at(asked.get(DESTINATION, extract.destination))
        destination = self._connect().destination(extract.destination)
        key = destination.data.key(extract.published_path(partition))
        version = require_version(destination.data.store, key, wanted)
        receipt = receipt_of(destination.state, version)
        reader = open_version(version, read_schema(receipt) if receipt else None)
        if not context.has_asset_partitions or len(context.asset_partition_keys) == 1:
            # Dagster cannot attach metadata about several partitions at once.
            context.add_input_metadata({"s3_version_id": version.version_id, "uri": version.uri})
        return _as_type(reader, context.dagster_type.typing_type)


def _as_type(reader: pa.RecordBatchReader, wanted: Any) -> Any:
    if get_origin(wanted) is dict:  # one value per partition
        wanted = get_args(wanted)[1]
    name = f"{getattr(wanted, '__module__', '')}.{getattr(wanted, '__name__', wanted)}"
    if wanted is pa.RecordBatchReader:
        return reader
    if wanted is pa.Table:
        return reader.read_all()
    if name.startswith("polars.") and name.endswith(".DataFrame"):
        import polars as pl

        return pl.from_arrow(reader.read_all())
    if name.startswith("pandas.") and name.endswith(".DataFrame"):
        import pandas as pd

        # Arrow-backed columns: NULL integers stay integers, decimals stay exact.
        return reader.read_all().to_pandas(types_mapper=pd.ArrowDtype)
    raise dg.DagsterInvalidDefinitionError(
        f"an extract cannot be loaded as {wanted}: annotate the argument with pandas.DataFrame, "
        f"pyarrow.Table, pyarrow.RecordBatchReader or polars.DataFrame"
    )
