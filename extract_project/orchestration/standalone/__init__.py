"""Materializing extracts in this process, without a Dagster deployment: `extract materialize`."""
