"""How extracts live in Dagster: assets, IO manager, executor, failures."""
